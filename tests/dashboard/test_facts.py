"""What the home screen knows, from the rows that are there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from ulid import ULID

from tests.dashboard.conftest import Call, Receive
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import make_team
from tests.webhook.rows import (
    an_update,
    make_attempt,
    make_delivery,
    make_endpoint,
    make_reception,
)
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dashboard import attention, facts
from tgm.dashboard.attention import Kind
from tgm.dashboard.known import BotFacts, CallFacts, EndpointFacts, Seen
from tgm.extensions import db
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.shared.clock import utcnow
from tgm.webhook.models import Acknowledge, Mode, State

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def of(team: ULID) -> BotFacts:
    (found,) = facts.of_team(team, utcnow()).bots
    return found


def endpoint_of(team: ULID) -> EndpointFacts:
    (found,) = of(team).endpoints
    return found


@contextmanager
def counting() -> Iterator[list[str]]:
    """Collect the queries of the block."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_a_bot_that_has_done_nothing_is_well(team: ULID, bot: Bot) -> None:
    found = of(team)
    assert found == BotFacts(id=bot.id, name="Kasir", username=bot.username)
    assert attention.find([found], [], utcnow()) == []


def test_it_tells_how_a_bot_receives(team: ULID, bot: Bot) -> None:
    make_reception(
        bot.id,
        Mode.POLLING,
        problem="refused",
        problem_text="Unauthorized",
        is_paused=True,
        acknowledge=Acknowledge.NEVER,
    )
    found = of(team)
    assert (found.mode, found.problem, found.problem_text) == (
        Mode.POLLING,
        "refused",
        "Unauthorized",
    )
    assert (found.is_held, found.acknowledge) == (True, Acknowledge.NEVER)


def test_it_counts_what_each_endpoint_waits_for_and_has_lost(team: ULID, bot: Bot) -> None:
    endpoint, now = make_endpoint(bot.id, kinds=["message"]), utcnow()
    there: list[tuple[timedelta, dict[str, Any]]] = [
        (8 * MINUTE, {"state": State.CLAIMED}),
        (7 * MINUTE, {"attempts_made": 1}),
        (MINUTE, {}),
        (9 * MINUTE, {"state": State.DELIVERED, "finished_at": now}),
        (2 * DAY, {"state": State.DEAD, "finished_at": now - MINUTE}),
        (3 * DAY, {"state": State.DEAD, "finished_at": now - 2 * DAY}),
    ]
    made = [
        make_delivery(endpoint, an_update(number), at=now - age, **more)
        for number, (age, more) in enumerate(there)
    ]
    found = endpoint_of(team)
    assert (found.pending, found.failing, found.given_up) == (3, 1, 1)
    assert found.oldest_at == made[0].created_at
    assert found.kinds == ("message",)


def test_it_tells_what_is_wrong_with_an_endpoint(team: ULID, bot: Bot) -> None:
    since = utcnow() - MINUTE
    make_endpoint(bot.id, paused_because="gone", failing_since=since, last_error="HTTP 410")
    found = endpoint_of(team)
    assert (found.paused_because, found.last_error) == ("gone", "HTTP 410")
    assert found.failing_since == since
    assert (found.pending, found.oldest_at) == (0, None)


def test_it_tells_when_updates_came_in_the_last_day(team: ULID, receive: Receive) -> None:
    receive(ago=2 * DAY)
    first, press = receive(ago=9 * MINUTE), receive("callback_query", ago=8 * MINUTE)
    last = receive(ago=7 * MINUTE)
    receive(ago=MINUTE, is_test=True)
    found = of(team)
    assert found.last_update_at == last.received_at
    assert found.messages == Seen(first.received_at, last.received_at)
    assert found.presses == Seen(press.received_at, press.received_at)


def test_an_update_of_long_ago_is_still_the_last(team: ULID, receive: Receive) -> None:
    only = receive(ago=9 * DAY)
    found = of(team)
    assert found.last_update_at == only.received_at
    assert found.messages == Seen()


@pytest.mark.parametrize(
    ("calls", "is_refused"),
    [
        ([("getMe", 401)], True),
        ([("getMe", 200), ("sendMessage", 401)], True),
        ([("getMe", 401), ("sendMessage", 200)], False),
        ([("getMe", 401), ("sendMessage", 403)], False),
    ],
)
def test_a_token_is_refused_while_telegrams_last_answer_says_so(
    team: ULID, call: Call, calls: list[tuple[str, int]], is_refused: bool
) -> None:
    for method, status in calls:
        call(method, status)
    # What TGM refuses by itself says nothing of the token.
    call("sendMessage", 429, source="gateway")
    assert (of(team).calls.refused_at is not None) == is_refused


def test_a_new_token_is_not_refused_yet(team: ULID, bot: Bot, call: Call) -> None:
    call("getMe", 401, ago=MINUTE)
    assert of(team).calls.refused_at is not None
    bots.replace_token(team, bot.id, TOKEN, COMMAND_LINE)
    assert of(team).calls.refused_at is None
    call("getMe", 401)
    assert of(team).calls.refused_at is not None


@pytest.mark.parametrize(
    ("method", "status", "acts", "presses"),
    [
        ("sendMessage", 200, True, False),
        ("editMessageText", 200, True, False),
        ("deleteMessage", 200, True, False),
        ("answerCallbackQuery", 200, True, True),
        ("answerCallbackQuery", 400, False, False),
        ("sendMessage", 403, False, False),
        ("sendChatAction", 200, False, False),
        ("getChat", 200, False, False),
        ("setMyCommands", 200, False, False),
    ],
)
def test_a_call_that_did_something_may_be_an_answer(
    team: ULID, call: Call, method: str, status: int, acts: bool, presses: bool
) -> None:
    call(method, status)
    found = of(team).calls
    assert (found.acted_at is not None, found.press_answered_at is not None) == (acts, presses)


def test_what_an_endpoint_answers_counts_as_a_call(team: ULID, bot: Bot) -> None:
    endpoint = make_endpoint(bot.id, takes_answers=True)
    delivery = make_delivery(endpoint, an_update(1))
    sent = make_attempt(delivery, 1, called="sendMessage ok", at=utcnow() - 3 * MINUTE)
    assert of(team).calls == CallFacts(acted_at=sent.at)
    pressed = make_attempt(delivery, 2, called="answerCallbackQuery ok", at=utcnow() - MINUTE)
    make_attempt(delivery, 3, called="sendMessage 400 Bad Request")
    assert of(team).calls == CallFacts(acted_at=pressed.at, press_answered_at=pressed.at)


def test_of_many_calls_and_updates_the_newest_count(
    team: ULID, call: Call, receive: Receive
) -> None:
    call("answerCallbackQuery", ago=DAY / 2)
    for _ in range(facts.WINDOW):
        call("getChat", ago=MINUTE)
    found = of(team).calls
    assert found.press_answered_at is None
    assert found.known_from is not None


def test_another_teams_bots_are_not_in_it(team: ULID, bot: Bot, telegram: FakeTelegram) -> None:
    other = make_team("Warung")
    telegram.add_bot(OTHER_TOKEN, "Other", "other_bot")
    theirs = bots.add(other, OTHER_TOKEN, None, COMMAND_LINE)
    make_delivery(make_endpoint(theirs.id), an_update(1))
    assert [found.id for found in facts.of_team(team, utcnow()).bots] == [bot.id]
    assert [found.id for found in facts.of_team(other, utcnow()).bots] == [theirs.id]


def test_keys_that_work_and_will_end_are_in_it_and_which_have_a_successor(team: ULID) -> None:
    ends = utcnow() + 3 * DAY
    keys.make(team, Rights("Works for ever"), COMMAND_LINE)
    keys.make(make_team("Warung"), Rights("Theirs", expires_at=ends), COMMAND_LINE)
    own, _ = keys.make(team, Rights("Will end", expires_at=ends), COMMAND_LINE)
    old, _ = keys.make(team, Rights("Old"), COMMAND_LINE)
    new, _ = keys.rotate(team, old.id, 24, COMMAND_LINE)
    revoked, _ = keys.make(team, Rights("Revoked", expires_at=ends), COMMAND_LINE)
    keys.revoke(team, revoked.id, COMMAND_LINE)
    found = {key.id: key for key in facts.of_team(team, utcnow()).keys}
    assert set(found) == {own.id, old.id}
    assert found[old.id].replaced_at == new.created_at
    assert (found[own.id].expires_at, found[own.id].replaced_at) == (ends, None)


def test_ten_bots_cost_no_more_queries_than_one(
    team: ULID, bot: Bot, telegram: FakeTelegram, call: Call
) -> None:
    call("getMe", 401)
    make_reception(bot.id)
    make_endpoint(bot.id, takes_answers=True)
    with counting() as for_one:
        facts.of_team(team, utcnow())
    for number in range(9):
        token = f"55555555{number}:AAoneMoreTokenOfTheFakeTelegram_012345"
        telegram.add_bot(token, f"Bot {number}", f"b{number}_bot")
        more = bots.add(team, token, None, COMMAND_LINE)
        make_reception(more.id)
        make_delivery(make_endpoint(more.id), an_update(number))
        keys.make(team, Rights(f"Key {number}"), COMMAND_LINE)
    with counting() as for_ten:
        found = facts.of_team(team, utcnow())
    assert len(found.bots) == 10
    assert len(for_ten) == len(for_one) <= 7


def test_a_silent_bot_is_found_from_its_rows(
    team: ULID, bot: Bot, call: Call, receive: Receive
) -> None:
    make_reception(bot.id, acknowledge=Acknowledge.NEVER)
    make_endpoint(bot.id)
    call("sendMessage", ago=2 * DAY)
    receive(ago=30 * MINUTE)
    receive("callback_query", ago=20 * MINUTE)

    def found() -> list[Kind]:
        return [each.kind for each in attention.find([of(team)], [], utcnow())]

    assert found() == [Kind.PRESSES, Kind.MESSAGES]
    call("answerCallbackQuery")
    assert found() == []
