"""getUpdates from TGM's own store: Telegram's semantics, for each program by itself."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from ulid import ULID

from tests.dropin.asking import PATIENCE, ask, ids
from tests.dropin.conftest import Library
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import FakeTelegram, reply
from tests.live.listening import wait_until
from tgm.audit.service import COMMAND_LINE, Actor
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dropin.tokens import virtual_token
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.webhook import receiving
from tgm.webhook.models import Acknowledge


def keys_lose_it(team: ULID, _bot: ULID, actor: Actor) -> None:
    """Narrow every key of the team."""
    for key in keys.of_team(team):
        keys.change(team, key.id, Rights(key.name, methods="sendMessage"), actor)


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Got]]]:
    with ThreadPoolExecutor(32) as pool:
        yield lambda *args, **more: pool.submit(*args, **more)


@pytest.fixture
def begun(library: Library) -> Library:
    """A program that has asked before, so that what comes is kept for it."""
    assert ids(ask(library)) == []
    return library


@pytest.mark.parametrize("method", ["getUpdates", "setWebhook"])
def test_a_program_does_not_take_back_what_a_person_has_handed_back(
    begun: Library, bot: Bot, team: ULID, arrive: Callable[..., None], method: str
) -> None:
    receiving.hand_back(team, bot.id, COMMAND_LINE)
    got = begun.call(method, b'{"url":"https://example.com/hook"}')
    assert got.status == 409
    assert "handed back" in got.json["description"]
    assert receiving.of_bot(bot.id) is None
    assert begun.call("deleteWebhook").status == 200
    receiving.switch_on(team, bot.id, actor=COMMAND_LINE)
    arrive(1)
    assert ids(ask(begun)) == [1]


def test_a_first_call_that_telegram_does_not_hear_can_be_repeated(
    library: Library, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.replies(reply({"ok": False, "error_code": 500, "description": "Oops"}, 500))
    assert library.call("getUpdates").status >= 400
    assert receiving.of_bot(bot.id) is None
    assert ids(ask(library)) == []
    db.session.rollback()
    assert receiving.of_bot(bot.id) is not None


def test_the_first_call_switches_receiving_on_and_starts_at_now(
    library: Library, bot: Bot, arrive: Callable[..., None]
) -> None:
    arrive(1, 2)
    assert ids(ask(library)) == []
    reception = receiving.of_bot(bot.id)
    assert reception is not None
    # The program answers presses itself, as it did before.
    assert reception.acknowledge is Acknowledge.AFTER_DELIVERY
    arrive(3)
    assert ids(ask(library)) == [3]


def test_what_a_person_chose_about_presses_stays(library: Library, team: ULID, bot: Bot) -> None:
    receiving.switch_on(team, bot.id, actor=COMMAND_LINE)
    receiving.set_acknowledge(team, bot.id, Acknowledge.AT_ONCE, COMMAND_LINE)
    assert ids(ask(library)) == []
    reception = receiving.of_bot(bot.id)
    assert reception is not None
    assert reception.acknowledge is Acknowledge.AT_ONCE


def test_updates_come_byte_for_byte_until_they_are_confirmed(
    begun: Library, arrive: Callable[..., None]
) -> None:
    raw = b'{ "update_id":7,  "message":{"message_id":1,"date":1,"chat":{"id":5,"type":"private"},"text":"\\u00e4 \xc3\xa4"}}'  # noqa: E501
    arrive(raw=raw)
    arrive(8)
    assert ask(begun, limit=1).body == b'{"ok":true,"result":[' + raw + b"]}"
    assert ids(ask(begun)) == [7, 8]
    assert ids(ask(begun, offset=8)) == [8]
    assert ids(ask(begun, offset=9)) == []
    assert ids(ask(begun)) == []


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_parameters_come_in_every_form_that_telegram_takes(
    begun: Library, arrive: Callable[..., None], verb: str
) -> None:
    arrive(1, 2, 3)
    assert ids(begun.call("getUpdates?limit=2", None, verb=verb)) == [1, 2]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ids(begun.call("getUpdates", b"offset=3&limit=x", headers=form)) == [3]


def test_a_negative_offset_leaves_the_last_ones_and_forgets_the_rest(
    begun: Library, arrive: Callable[..., None]
) -> None:
    arrive(1, 2, 3, 4)
    assert ids(ask(begun, offset=-2)) == [3, 4]
    assert ids(ask(begun)) == [3, 4]
    assert ids(ask(begun, offset=-10)) == [3, 4]


def test_an_offset_beyond_all_clears_them(begun: Library, arrive: Callable[..., None]) -> None:
    arrive(1, 2)
    assert ids(ask(begun, offset=2**31 - 1)) == []
    arrive(3)
    assert ids(ask(begun)) == [3]


def test_numbers_that_begin_anew_lower_are_not_taken_for_confirmed(
    begun: Library, arrive: Callable[..., None]
) -> None:
    arrive(1000)
    assert ids(ask(begun)) == [1000]
    arrive(5)
    assert ids(ask(begun, offset=1001)) == [5]
    assert ids(ask(begun, offset=6)) == []


def test_only_the_kinds_that_were_asked_for_come_and_that_is_remembered(
    begun: Library, arrive: Callable[..., None]
) -> None:
    reaction = b'{"update_id": 2, "message_reaction": {"chat": {"id": 1, "type": "private"}}}'
    press = b'{"update_id": 3, "callback_query": {"id": "9", "from": {"id": 4}}}'
    arrive(1)
    arrive(raw=reaction)
    arrive(raw=press)
    # Reactions come to those only who name them.
    assert ids(ask(begun)) == [1, 3]
    assert ids(ask(begun, allowed_updates=["message_reaction", "nonsense"])) == [2]
    assert ids(ask(begun)) == [2]
    assert ids(begun.call('getUpdates?allowed_updates=["callback_query"]', None)) == [3]
    assert ids(ask(begun, allowed_updates=[])) == [1, 3]


def test_updates_wait_a_day_at_most(begun: Library, arrive: Callable[..., None]) -> None:
    arrive(1, hours_ago=24.1)
    arrive(2, hours_ago=23.9)
    assert ids(ask(begun)) == [2]


def test_two_programs_each_see_every_update(
    begun: Library,
    served: Served,
    bot: Bot,
    make_key: Callable[..., str],
    arrive: Callable[..., None],
) -> None:
    other = Library(served, virtual_token(bot.telegram_id, make_key()).value)
    assert ids(ask(other)) == []
    arrive(1, 2)
    assert ids(ask(begun, offset=0)) == [1, 2]
    assert ids(ask(begun, offset=3)) == []
    assert ids(ask(other)) == [1, 2]


def test_a_rotated_key_goes_on_where_the_old_one_was(
    served: Served, bot: Bot, team: ULID, arrive: Callable[..., None]
) -> None:
    key, secret = keys.make(team, Rights("Shop"), COMMAND_LINE)
    old = Library(served, virtual_token(bot.telegram_id, secret.value).value)
    assert ids(ask(old)) == []
    arrive(1, 2)
    assert ids(ask(old, limit=1)) == [1]
    for _ in range(2):
        key, secret = keys.rotate(team, key.id, 0, COMMAND_LINE)
    new = Library(served, virtual_token(bot.telegram_id, secret.value).value)
    assert ids(ask(new, offset=2)) == [2]


def test_the_same_holds_at_tgms_own_address(
    served: Served, bot: Bot, key: str, begun: Library, arrive: Callable[..., None]
) -> None:
    arrive(1)
    answer = served.call("POST", f"/api/v1/bots/{bot.id}/getUpdates", b"{}", {"X-API-Key": key})
    assert ids(answer) == [1]
    assert answer.headers["X-TGM-Source"] == "gateway"


def test_a_long_poll_is_answered_as_soon_as_something_comes(
    begun: Library, arrive: Callable[..., None], in_background: Callable[..., Future[Got]]
) -> None:
    waiting = in_background(ask, begun, timeout=50)
    wait_until(lambda: len(runtime.polls) == 1, "the polls are looked after")
    arrive(1)
    answer = waiting.result(PATIENCE)
    assert ids(answer) == [1]
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["X-RateLimit-Limit"] == "60"


def test_a_long_poll_ends_empty_after_its_time(begun: Library) -> None:
    assert ids(ask(begun, timeout=1)) == []


def test_a_second_poll_ends_the_first(
    begun: Library, arrive: Callable[..., None], in_background: Callable[..., Future[Got]]
) -> None:
    first = in_background(ask, begun, timeout=50)
    wait_until(lambda: len(runtime.polls) == 1, "the polls are looked after")
    second = in_background(ask, begun, timeout=50)
    answer = first.result(PATIENCE)
    assert answer.status == 409
    assert answer.json["description"].startswith("Conflict: terminated by other getUpdates request")
    wait_until(lambda: len(runtime.polls) == 1, "the polls are looked after")
    arrive(1)
    assert ids(second.result(PATIENCE)) == [1]


def test_a_connection_goes_on_after_a_poll(
    begun: Library, served: Served, arrive: Callable[..., None]
) -> None:
    connection = http.client.HTTPConnection(*served.address, timeout=PATIENCE)
    for number in (1, 2, 3):
        threading.Timer(0.05, arrive, (number,)).start()
        connection.request("GET", f"/bot{begun.token}/getUpdates?timeout=50&offset={number}")
        response = connection.getresponse()
        assert [each["update_id"] for each in json.loads(response.read())["result"]] == [number]
    connection.request("GET", f"/bot{begun.token}/getMe")
    assert json.loads(connection.getresponse().read())["ok"] is True
    connection.close()


@pytest.mark.given(THREADS="4", RATE_LIMIT_PER_MINUTE="1000")
def test_waiting_polls_hold_no_thread(
    served: Served,
    bot: Bot,
    make_key: Callable[..., str],
    arrive: Callable[..., None],
    in_background: Callable[..., Future[Got]],
    telegram: FakeTelegram,
) -> None:
    programs = [
        Library(served, virtual_token(bot.telegram_id, make_key()).value) for _ in range(20)
    ]
    for program in programs:
        assert ids(ask(program)) == []
    polls = [in_background(ask, program, timeout=50) for program in programs]
    wait_until(lambda: len(runtime.polls) == 20, "the polls are looked after")
    for program in programs:
        assert program.call("getMe").status == 200
    arrive(1)
    assert [ids(poll.result(PATIENCE)) for poll in polls] == [[1]] * 20
    assert len(runtime.polls) == 0


def test_a_program_that_goes_away_is_forgotten(begun: Library, served: Served) -> None:
    connection = socket.create_connection(served.address, timeout=PATIENCE)
    connection.sendall(
        f"GET /bot{begun.token}/getUpdates?timeout=50 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    )
    wait_until(lambda: len(runtime.polls) == 1, "the polls are looked after")
    connection.close()
    wait_until(lambda: len(runtime.polls) == 0, "the polls are looked after")


def test_a_poll_that_waits_ends_with_its_key(
    served: Served,
    bot: Bot,
    team: ULID,
    arrive: Callable[..., None],
    in_background: Callable[..., Future[Got]],
) -> None:
    key, secret = keys.make(team, Rights("Shop"), COMMAND_LINE)
    library = Library(served, virtual_token(bot.telegram_id, secret.value).value)
    assert ids(ask(library)) == []
    waiting = in_background(ask, library, timeout=50)
    wait_until(lambda: len(runtime.polls) == 1, "the polls are looked after")
    keys.revoke(team, key.id, COMMAND_LINE)
    answer = waiting.result(PATIENCE)
    assert (answer.status, answer.json["description"]) == (401, "Unauthorized")


@pytest.mark.parametrize("act", [bots.disable, keys_lose_it])
def test_a_poll_that_waits_ends_with_its_right_to_the_bot(
    begun: Library,
    bot: Bot,
    team: ULID,
    in_background: Callable[..., Future[Got]],
    act: Callable[[ULID, ULID, Actor], object],
) -> None:
    waiting = in_background(ask, begun, timeout=50)
    wait_until(lambda: len(runtime.polls) == 1, "the polls are looked after")
    act(team, bot.id, COMMAND_LINE)
    assert waiting.result(PATIENCE).status == 403
