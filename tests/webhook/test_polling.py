"""A polled bot's updates reach the inbox once each, whoever polls and whatever breaks."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from tests.fakes.telegram import TOKEN, FakeTelegram, Recorded, Reply, refusal, reply
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.telegram.longpoll import elements
from tgm.webhook import receiving
from tgm.webhook.commits import Commits
from tgm.webhook.inbox import Inbox
from tgm.webhook.leases import LEASE, Leases
from tgm.webhook.models import Reception, StoredUpdate
from tgm.webhook.polling import Poller, Pollers, Tools, pause_after

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Clock:
    """The time, which stands still unless it is moved."""

    at: datetime = NOON
    seconds: float = 0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Pending:
    """What Telegram holds for the bot. As the real one, it forgets what lies below the offset."""

    updates: list[bytes] = field(default_factory=list)
    offsets: list[int | None] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def add(self, *update_ids: int) -> None:
        self.updates += [update(number) for number in update_ids]

    def __call__(self, recorded: Recorded) -> Reply:
        asked = json.loads(recorded.body)
        self.asked.append(asked)
        offset = asked.get("offset")
        self.offsets.append(offset)
        if offset is not None:
            self.updates = [u for u in self.updates if json.loads(u)["update_id"] >= offset]
        return reply(b'{"ok": true, "result": [ ' + b" , ".join(self.updates) + b" ]}")


def update(number: int) -> bytes:
    text = f'{{ "update_id":{number},  "message":{{"chat":{{"id":5}},"text":"\\u00e9 \xe9"}}}}'
    return text.encode()


@pytest.fixture
def bot(app: Flask) -> Bot:
    bot = bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    return bot


@pytest.fixture
def pending(telegram: FakeTelegram) -> Pending:
    pending = Pending()
    telegram.always("getUpdates", pending)
    return pending


@pytest.fixture
def inbox(app: Flask) -> Iterator[Inbox]:
    inbox = Inbox(Commits(db.engines[WRITER]), lambda _stored: None)
    yield inbox
    inbox.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(bot: Bot, inbox: Inbox, clock: Clock) -> Callable[[], Tools]:
    """Another process's tools."""

    def process() -> Tools:
        return Tools(
            Leases(db.engine, db.engines[WRITER]),
            runtime.vault,
            runtime.telegram,
            inbox,
            now=clock.now,
            clock=clock.monotonic,
        )

    return process


@pytest.fixture
def tools(process: Callable[[], Tools], bot: Bot, clock: Clock) -> Tools:
    """This process's tools; it has the bot's lease."""
    tools = process()
    assert tools.leases.hold(clock.now()) == {str(bot.id)}
    return tools


@pytest.fixture
def poller(tools: Tools, bot: Bot) -> Iterator[Poller]:
    poller = Poller(tools, str(bot.id))
    yield poller
    poller.stop()


def stored() -> list[StoredUpdate]:
    db.session.rollback()
    return list(db.session.scalars(select(StoredUpdate).order_by(StoredUpdate.seq)))


def reception(bot: Bot) -> Reception:
    db.session.rollback()
    found = receiving.of_bot(bot.id)
    assert found is not None
    return found


def test_updates_are_stored_with_the_bytes_that_telegram_sent(
    poller: Poller, pending: Pending
) -> None:
    pending.add(7, 8)
    assert poller.turn() == 0
    assert [row.raw for row in stored()] == [update(7), update(8)]
    assert stored()[0].received_at == NOON


def test_it_asks_for_the_chosen_kinds_with_a_long_time_out(
    poller: Poller, pending: Pending
) -> None:
    poller.turn()
    assert pending.asked == [{"timeout": 50, "allowed_updates": list(UPDATE_KINDS)}]


def test_the_next_offset_is_asked_for_only_after_the_commit(
    poller: Poller, pending: Pending
) -> None:
    pending.add(7, 8)
    failing = True

    def fail(*_: object) -> None:
        if failing:
            raise OSError("disk full")

    event.listen(db.engines[WRITER], "begin", fail)
    assert poller.turn() == 1
    assert poller.turn() == 2
    assert pending.offsets == [None, None], "it confirmed what was not stored"
    failing = False
    assert poller.turn() == 0
    assert [row.update_id for row in stored()] == [7, 8]
    poller.turn()
    assert pending.offsets[-1] == 9
    assert pending.updates == []


def test_a_crash_between_the_commit_and_the_offset_stores_nothing_twice(
    poller: Poller, pending: Pending, bot: Bot, tools: Tools
) -> None:
    pending.add(7)
    poller.turn()
    tools.leases.note(str(bot.id), offset=None)
    pending.add(8)
    poller.turn()
    assert [row.update_id for row in stored()] == [7, 8]


def test_ids_that_begin_anew_at_a_lower_number_are_not_lost(
    poller: Poller, pending: Pending
) -> None:
    pending.add(1000)
    poller.turn()
    poller.turn()
    # A quiet week later.
    pending.add(3)
    poller.turn()
    assert [row.update_id for row in stored()] == [1000, 3]


def test_an_answer_that_comes_at_once_and_empty_is_no_reason_to_hurry(
    poller: Poller, pending: Pending, clock: Clock
) -> None:
    assert poller.turn() == 1
    pending.add(7)
    assert poller.turn() == 0


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (refusal(409, "Conflict: terminated by other getUpdates request"), "taken_over"),
        (refusal(401, "Unauthorized"), "refused"),
        (reply(b"<html>502</html>", 502), None),
        (Reply(b"", close=True), None),
    ],
)
def test_failures_are_waited_out_longer_and_longer(
    poller: Poller, bot: Bot, telegram: FakeTelegram, answer: Reply, problem: str | None
) -> None:
    telegram.always("getUpdates", answer)
    assert poller.turn() == 1
    assert reception(bot).problem == problem, "one lost connection is nothing to show"
    assert [poller.turn() for _ in range(8)] == [2, 4, 8, 16, 32, 60, 60, 60]
    assert reception(bot).problem == (problem or "unreachable")
    assert TOKEN not in (reception(bot).problem_text or "")
    pending = Pending()
    pending.add(7)
    telegram.always("getUpdates", pending)
    assert poller.turn() == 0
    assert reception(bot).problem is None
    telegram.always("getUpdates", answer)
    assert poller.turn() == 1


def test_telegrams_own_pause_is_kept(poller: Poller, bot: Bot, telegram: FakeTelegram) -> None:
    telegram.always("getUpdates", refusal(429, "Too Many Requests", retry_after=17))
    assert poller.turn() == 17
    assert reception(bot).problem is None


def test_pauses_have_an_end() -> None:
    assert pause_after(10_000, None) == 60
    assert pause_after(1, 0) == 1


def test_one_process_polls_a_bot(
    tools: Tools, process: Callable[[], Tools], bot: Bot, clock: Clock
) -> None:
    other = process()
    assert other.leases.hold(clock.now()) == set()
    assert other.leases.turn(str(bot.id), clock.now()) is None
    assert Poller(other, str(bot.id)).turn() is None
    assert tools.leases.turn(str(bot.id), clock.now()) is not None


def test_another_process_takes_over_when_the_lease_ends(
    tools: Tools, poller: Poller, process: Callable[[], Tools], bot: Bot, pending: Pending,
    clock: Clock,
) -> None:  # fmt: skip
    other = process()
    clock.at = NOON + LEASE - timedelta(milliseconds=1)
    assert other.leases.hold(clock.at) == set()
    clock.at = NOON + LEASE
    assert poller.turn() is None, "its lease has ended, even if nobody has taken it yet"
    assert other.leases.hold(clock.at) == {str(bot.id)}
    assert not tools.leases.note(str(bot.id), offset=1), "a late one must not move the offset"
    pending.add(7)
    taken_over = Poller(other, str(bot.id))
    assert taken_over.turn() == 0
    taken_over.stop()
    assert reception(bot).offset == 8


def test_a_lease_is_renewed_in_time_and_not_with_each_look(tools: Tools, bot: Bot) -> None:
    writes: list[object] = []
    event.listen(db.engines[WRITER], "begin", writes.append)
    for seconds in range(0, 60, 2):
        assert tools.leases.hold(NOON + timedelta(seconds=seconds)) == {str(bot.id)}
    assert 2 <= len(writes) <= 6


def test_a_process_that_stops_lets_others_poll_at_once(
    tools: Tools, process: Callable[[], Tools], bot: Bot, clock: Clock
) -> None:
    tools.leases.release()
    assert process().leases.hold(clock.now()) == {str(bot.id)}


def test_what_a_dead_process_polled_is_anybodys_at_once(
    tools: Tools, process: Callable[[], Tools], bot: Bot, clock: Clock
) -> None:
    other = process().leases
    assert other.hold(clock.now()) == set()
    other.free(tools.leases.owner)
    assert other.hold(clock.now()) == {str(bot.id)}


def test_it_ends_when_the_bot_is_received_otherwise(poller: Poller, bot: Bot) -> None:
    receiving.hand_back(bot.team_id, bot.id, COMMAND_LINE)
    assert poller.turn() is None


def test_a_new_token_is_used_with_the_next_poll(
    poller: Poller, bot: Bot, telegram: FakeTelegram
) -> None:
    new = f"{bot.telegram_id}:AAnewTokenOfTheSameBot_0123456789abcd"
    telegram.add_bot(new, "Test bot", "tgm_test_bot")
    poller.turn()
    bots.replace_token(bot.team_id, bot.id, new, COMMAND_LINE)
    poller.turn()
    assert new in telegram.calls("getUpdates")[-1].target


def test_pollers_poll_and_stop_in_the_midst_of_a_long_poll(
    process: Callable[[], Tools], bot: Bot, telegram: FakeTelegram
) -> None:
    gate = threading.Event()
    pending = Pending()
    pending.add(7)
    calls: list[Recorded] = []

    def answer(recorded: Recorded) -> Reply:
        calls.append(recorded)
        return pending(recorded) if len(calls) == 1 else reply({"ok": True}, gate=gate)

    telegram.always("getUpdates", answer)
    pollers = Pollers(process())
    pollers.start()
    until = time.monotonic() + 10
    while len(calls) < 2 and time.monotonic() < until:
        time.sleep(0.002)
    assert [row.update_id for row in stored()] == [7]
    began = time.monotonic()
    pollers.stop()
    assert time.monotonic() - began < 2, "it waited for Telegram"
    assert reception(bot).lease_owner is None
    assert reception(bot).problem is None
    gate.set()


class Crossed(threading.Event):
    """Is set just before somebody clears it, who began before that."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.told = threading.Event(), threading.Event()
        self.missed = False

    def set(self) -> None:
        super().set()
        self.told.set()

    def clear(self) -> None:
        self.begun.set()
        assert self.told.wait(10)
        super().clear()

    def wait(self, timeout: float | None = None) -> bool:
        self.missed = self.missed or not self.is_set()
        return super().wait(timeout)


def test_a_stop_is_not_missed_where_a_round_begins_at_the_same_time(
    process: Callable[[], Tools],
) -> None:
    pollers, wake = Pollers(process()), Crossed()
    pollers._wake = wake
    pollers.start()
    assert wake.begun.wait(10)
    pollers.stop()
    assert not wake.missed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    updates=st.lists(JSON, max_size=5),
    others=st.dictionaries(st.text().filter(lambda name: name != "result"), JSON, max_size=3),
    indent=st.sampled_from([None, 0, 2]),
    is_first=st.booleans(),
)
def test_each_element_is_cut_out_as_it_is_written(
    updates: list[Any], others: dict[str, Any], indent: int | None, is_first: bool
) -> None:
    whole = {"result": updates, **others} if is_first else {**others, "result": updates}
    text = json.dumps(whole, indent=indent, ensure_ascii=False)
    found = list(elements(text, "result"))
    assert [json.loads(each) for each in found] == updates
    at = 0
    for each in found:
        at = text.index(each.decode("utf-8"), at) + len(each.decode())
