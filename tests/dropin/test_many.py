"""Many programs on one bot, and many polls that wait beside calls, on the default settings."""

import http.client
import json
import random
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import event

from tests.dropin.asking import ask, ids
from tests.dropin.conftest import Library
from tests.fakes.receiver import Receiver
from tests.fakes.serving import Served
from tests.fakes.telegram import FakeTelegram, Recorded, Reply, reply
from tests.live.listening import wait_until
from tests.webhook.delivering import shuffled
from tests.webhook.rows import an_update
from tgm.bots.models import Bot
from tgm.dropin.tokens import virtual_token
from tgm.extensions import db, runtime
from tgm.shared.clock import utcnow
from tgm.webhook import facts
from tgm.webhook.inbox import Inbox

PATIENCE = 60
UPDATES = shuffled(1000, chats=40, seed=11)
POLLS, CALLS = 200, 100
UPSTREAM_SECONDS = 0.05

Programs = Callable[[], Library]


@pytest.fixture
def program(served: Served, bot: Bot, make_key: Callable[..., str]) -> Programs:
    """Make one more program for the bot, with a key of its own."""

    def make() -> Library:
        return Library(served, virtual_token(bot.telegram_id, make_key(per_minute=100_000)).value)

    return make


def test_many_programs_may_come_for_the_first_time_at_once(
    program: Programs, telegram: FakeTelegram
) -> None:
    programs = [program() for _ in range(80)]
    may_go_on = threading.Event()
    telegram.always("deleteWebhook", reply({"ok": True, "result": True}, gate=may_go_on))
    with ThreadPoolExecutor(len(programs)) as pool:
        got = [pool.submit(ask, each) for each in programs]
        # Each has a connection to the database now, and none may have to wait for another one.
        wait_until(lambda: len(telegram.calls("deleteWebhook")) >= 30, "they have come")
        may_go_on.set()
        assert [each.result(PATIENCE).status for each in got] == [200] * len(programs)


def test_a_poll_that_joins_has_nobody_elses_updates_looked_up(program: Programs) -> None:
    programs = [program() for _ in range(12)]
    looked: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if "updates.raw" in statement:
            looked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    with ThreadPoolExecutor(len(programs)) as pool:
        got = []
        for number, each in enumerate(programs, 1):
            got.append(pool.submit(ask, each, timeout=20))
            wait_until(lambda number=number: len(runtime.polls) == number, "one more waits")  # type: ignore[misc]
        runtime.polls.stop()
        assert [ids(each.result(PATIENCE)) for each in got] == [[]] * len(programs)
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(looked) <= 2 * len(programs)


def feed(inbox: Inbox, bot_id: str, updates: Sequence[tuple[int, int]]) -> None:
    """Let updates come in, a few at a time."""
    chance, rest = random.Random(12), list(updates)
    while rest:
        few = chance.randint(1, 20)
        raws = [an_update(number, chat_id=chat) for number, chat in rest[:few]]
        inbox.put_many(bot_id, [(raw, facts.read(raw)) for raw in raws], utcnow())
        del rest[:few]


def poll(program: Library, limit: int) -> list[tuple[int, int]]:
    """Poll as a program does until all have come, and return them as update id and chat."""
    got: list[tuple[int, int]] = []
    while len(got) < len(UPDATES):
        offset: dict[str, Any] = {"offset": got[-1][0] + 1} if got else {}
        answer = ask(program, timeout=20, limit=limit, **offset)
        new = [pair(update) for update in answer.json["result"]]
        assert new, "a poll has waited for updates that should have come"
        got += new
    assert ids(ask(program, offset=got[-1][0] + 1)) == []
    return got


def pair(update: dict[str, dict[str, dict[str, int]]]) -> tuple[int, int]:
    return int(str(update["update_id"])), update["message"]["chat"]["id"]


def by_chat(updates: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Return each chat's updates in the order in which they came."""
    chats: dict[int, list[int]] = {}
    for number, chat in updates:
        chats.setdefault(chat, []).append(number)
    return chats


@pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
def test_each_of_two_polls_and_a_webhook_gets_everything_once_and_in_order(
    program: Programs, bot: Bot, relay: None
) -> None:
    first, second, third = program(), program(), program()
    assert ids(ask(first)) == ids(ask(second)) == []
    with Receiver() as receiver, ThreadPoolExecutor(3) as pool:
        assert ask(third, "setWebhook", url=receiver.url).json["result"] is True
        polls = [pool.submit(poll, first, 100), pool.submit(poll, second, 7)]
        feeding = pool.submit(feed, runtime.relay.inbox, str(bot.id), UPDATES)
        receiver.wait_for(len(UPDATES), PATIENCE)
        polled = [each.result(PATIENCE) for each in polls]
        feeding.result(PATIENCE)
        wait_until(
            lambda: not ask(third, "getWebhookInfo").json["result"]["pending_update_count"],
            "everything is delivered",
        )
        hooked = [pair(got.json) for got in receiver.requests]
    for got in (*polled, hooked):
        assert sorted(got) == UPDATES
        assert by_chat(got) == by_chat(UPDATES)


def slowly(recorded: Recorded) -> Reply:
    """Answer as an upstream does that is some way off."""
    threading.Event().wait(UPSTREAM_SECONDS)
    return reply({"ok": True, "result": True})


def waiting_poll(program: Library) -> socket.socket:
    connection = socket.create_connection(program.served.address, timeout=PATIENCE)
    target = f"/bot{program.token}/getUpdates?timeout=50"
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: tgm\r\n\r\n".encode())
    return connection


def answer_on(connection: socket.socket) -> list[int]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return [update["update_id"] for update in json.loads(response.read())["result"]]


def test_a_hundred_calls_at_once_pass_beside_two_hundred_polls(
    program: Programs, telegram: FakeTelegram, arrive: Callable[..., None]
) -> None:
    telegram.always("getChat", slowly)
    programs = [program() for _ in range(POLLS)]
    for each in programs:
        assert ids(ask(each)) == []
    with ExitStack() as held, ThreadPoolExecutor(CALLS) as pool:
        polls = [held.enter_context(waiting_poll(each)) for each in programs]
        wait_until(lambda: len(runtime.polls) == POLLS, "all polls wait")
        caller = program()
        calls = [pool.submit(ask, caller, "getChat", chat_id=n) for n in range(CALLS)]
        assert [call.result(PATIENCE).status for call in calls] == [200] * CALLS
        assert len(runtime.polls) == POLLS
        arrive(1)
        assert [answer_on(one) for one in polls] == [[1]] * POLLS
