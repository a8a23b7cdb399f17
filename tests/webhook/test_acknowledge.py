"""A button's spinner stops, once, whatever the receiver does."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from flask import Flask

from tests.fakes.telegram import TOKEN, FakeTelegram, refusal, reply
from tests.live.listening import wait_until
from tests.making import make_team
from tests.webhook.rows import an_update
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.shared.notes import OwnNotes
from tgm.webhook import facts, programs, receiving
from tgm.webhook.acknowledge import LATEST, Acknowledger
from tgm.webhook.commits import Commits
from tgm.webhook.inbox import Inbox
from tgm.webhook.models import Acknowledge

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def bot(app: Flask) -> Bot:
    bot = bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    return bot


@pytest.fixture
def acknowledger(bot: Bot) -> Iterator[Acknowledger]:
    acknowledger = Acknowledger(
        telegram=runtime.telegram,
        vault=runtime.vault,
        snapshot=runtime.snapshot,
        receptions=runtime.relay.receptions,
        own=runtime.sending.own,
        now=lambda: NOON,
    )
    yield acknowledger
    acknowledger.stop()


@pytest.fixture
def press(bot: Bot, acknowledger: Acknowledger) -> Iterator[Callable[[int], bool]]:
    """Take a button press in, with this update id; its callback id is `press-<update id>`."""
    inbox = Inbox(Commits(db.engines[WRITER]), acknowledger.at_once)
    yield partial(_press, inbox, str(bot.id))
    inbox.stop()


def _press(inbox: Inbox, bot_id: str, update_id: int) -> bool:
    query = {"id": f"press-{update_id}", "from": {"id": 7}, "data": "order:confirm:1"}
    raw = json.dumps({"update_id": update_id, "callback_query": query}).encode()
    return inbox.put(bot_id, raw, facts.read(raw), NOON)


def choose(bot: Bot, when: Acknowledge) -> None:
    receiving.set_acknowledge(bot.team_id, bot.id, when, COMMAND_LINE)


def answered(telegram: FakeTelegram, count: int) -> list[str]:
    """Wait for so many answers, and return whose they were."""
    until = time.monotonic() + 5
    while len(telegram.calls("answerCallbackQuery")) < count and time.monotonic() < until:
        time.sleep(0.002)
    return [
        json.loads(call.body)["callback_query_id"] for call in telegram.calls("answerCallbackQuery")
    ]


def settled(acknowledger: Acknowledger, telegram: FakeTelegram) -> list[str]:
    """Wait until nothing is left to do, and return whose presses were answered."""
    done = threading.Barrier(9)
    for _ in range(8):
        acknowledger._jobs.put(lambda: bool(done.wait(5)))  # type: ignore[arg-type]
    done.wait(5)
    return answered(telegram, 0)


Press = Callable[[int], bool]


def test_a_press_is_answered_at_once_and_timed(
    press: Press, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    press(1)
    assert answered(telegram, 1) == ["press-1"]
    assert settled(acknowledger, telegram) == ["press-1"]
    assert len(acknowledger.timings) == 1
    assert 0 <= acknowledger.timings[0] < 5000


def test_a_repetition_is_not_answered_again(
    press: Press, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    assert press(1)
    assert not press(1)
    assert settled(acknowledger, telegram) == ["press-1"]
    acknowledger.after_delivery(1)
    acknowledger.flush(NOON + LATEST)
    assert settled(acknowledger, telegram) == ["press-1"]


def test_a_message_is_not_answered(
    bot: Bot, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    inbox = Inbox(Commits(db.engines[WRITER]), acknowledger.at_once)
    raw = an_update(1)
    inbox.put(str(bot.id), raw, facts.read(raw), NOON)
    inbox.stop()
    assert acknowledger._threads == []
    assert answered(telegram, 0) == []


def test_a_slow_answer_delays_nothing(press: Press, telegram: FakeTelegram) -> None:
    gate = threading.Event()
    telegram.always("answerCallbackQuery", reply({"ok": True, "result": True}, gate=gate))
    began = time.monotonic()
    for number in range(20):
        assert press(number)
    assert time.monotonic() - began < 5, "intake waited for Telegram"
    gate.set()
    assert len(answered(telegram, 20)) == 20


def test_a_refused_answer_is_no_trouble(
    press: Press, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    telegram.replies(refusal(400, "Bad Request: query is too old"))
    press(1)
    assert settled(acknowledger, telegram) == ["press-1"]
    press(2)
    assert settled(acknowledger, telegram) == ["press-1", "press-2"]


def test_never_is_never(
    press: Press, bot: Bot, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    choose(bot, Acknowledge.NEVER)
    press(1)
    acknowledger.after_delivery(1)
    settled(acknowledger, telegram)
    acknowledger.flush(NOON + LATEST)
    assert settled(acknowledger, telegram) == []


def test_after_delivery_waits_for_the_delivery(
    press: Press, bot: Bot, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    choose(bot, Acknowledge.AFTER_DELIVERY)
    press(1)
    assert settled(acknowledger, telegram) == []
    acknowledger.after_delivery(1)
    assert answered(telegram, 1) == ["press-1"]
    acknowledger.after_delivery(1)
    acknowledger.flush(NOON + LATEST)
    assert settled(acknowledger, telegram) == ["press-1"]


def test_after_delivery_waits_ten_seconds_at_most(
    press: Press, bot: Bot, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    choose(bot, Acknowledge.AFTER_DELIVERY)
    press(1)
    acknowledger.flush(NOON + LATEST - timedelta(milliseconds=1))
    assert settled(acknowledger, telegram) == []
    acknowledger.flush(NOON + LATEST)
    assert settled(acknowledger, telegram) == ["press-1"]
    assert timedelta(seconds=10) == LATEST


def test_after_delivery_leaves_alone_what_the_receiver_has_answered(
    press: Press, bot: Bot, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    choose(bot, Acknowledge.AFTER_DELIVERY)
    press(1)
    press(2)
    acknowledger.answered("press-1")
    acknowledger.after_delivery(1)
    acknowledger.flush(NOON + LATEST)
    assert settled(acknowledger, telegram) == ["press-2"]


def test_a_program_that_answers_presses_itself_has_ten_seconds_after_its_delivery_too(
    press: Press, bot: Bot, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    # Libraries confirm an update first and answer the press then, with words of their own.
    programs.receive(bot.team_id, bot.id, COMMAND_LINE)
    press(1)
    press(2)
    acknowledger.after_delivery(1)
    acknowledger.after_delivery(2)
    assert settled(acknowledger, telegram) == []
    acknowledger.answered("press-1")
    acknowledger.flush(NOON + LATEST)
    assert settled(acknowledger, telegram) == ["press-2"]


def test_a_press_that_is_too_old_is_left_alone(bot: Bot, telegram: FakeTelegram) -> None:
    late = Acknowledger(
        telegram=runtime.telegram,
        vault=runtime.vault,
        snapshot=runtime.snapshot,
        receptions=runtime.relay.receptions,
        own=runtime.sending.own,
        now=lambda: NOON + timedelta(minutes=2),
    )
    inbox = Inbox(Commits(db.engines[WRITER]), late.at_once)
    _press(inbox, str(bot.id), 1)
    inbox.stop()
    assert settled(late, telegram) == []
    late.stop()


def pause(bot: Bot, seconds: float) -> None:
    runtime.sending.pace.pause(runtime.sending.room.clock(), str(bot.id), seconds)


def paused_for(bot: Bot) -> float:
    return runtime.sending.pace.paused_for(runtime.sending.room.clock(), str(bot.id))


def test_where_the_bot_keeps_its_pace_a_press_waits_while_telegram_wants_a_pause(
    bot: Bot, press: Press, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    bots.keep_pace(bot.team_id, bot.id, True, COMMAND_LINE)
    pause(bot, 2)
    for number in range(1, 21):
        press(number)
    assert settled(acknowledger, telegram) == []
    assert len(answered(telegram, 20)) == 20
    assert paused_for(bot) == 0


def test_a_429_pauses_the_bot_and_the_press_is_answered_after_it(
    bot: Bot, press: Press, telegram: FakeTelegram
) -> None:
    bots.keep_pace(bot.team_id, bot.id, True, COMMAND_LINE)
    telegram.replies(refusal(429, "Too Many Requests: retry after 1", retry_after=1))
    press(1)
    wait_until(lambda: paused_for(bot) > 0, "the bot pauses")
    assert answered(telegram, 2) == ["press-1", "press-1"]


def test_a_press_that_its_receiver_has_answered_meanwhile_is_not_answered_after_the_pause(
    bot: Bot, press: Press, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    bots.keep_pace(bot.team_id, bot.id, True, COMMAND_LINE)
    pause(bot, 1)
    press(1)
    press(2)
    settled(acknowledger, telegram)
    acknowledger.answered("press-1")
    assert answered(telegram, 1) == ["press-2"]
    assert settled(acknowledger, telegram) == ["press-2"]


def test_a_connection_closed_meanwhile_costs_no_answer(
    press: Press, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    press(1)
    settled(acknowledger, telegram)
    telegram.drop_connections()
    press(2)
    assert settled(acknowledger, telegram)[-1] == "press-2"


def test_stopping_does_not_wait_for_telegram(
    press: Press, telegram: FakeTelegram, acknowledger: Acknowledger
) -> None:
    gate = threading.Event()
    telegram.always("answerCallbackQuery", reply({"ok": True, "result": True}, gate=gate))
    press(1)
    answered(telegram, 1)
    began = time.monotonic()
    acknowledger.stop()
    assert time.monotonic() - began < 1
    gate.set()


def test_what_other_processes_hear_and_deliver_counts_here(
    bot: Bot, press: Press, telegram: FakeTelegram
) -> None:
    choose(bot, Acknowledge.AFTER_DELIVERY)
    notes, delivered = OwnNotes(), set[int]()
    here, there = (
        Acknowledger(
            telegram=runtime.telegram,
            vault=runtime.vault,
            snapshot=runtime.snapshot,
            receptions=runtime.relay.receptions,
            own=runtime.sending.own,
            notes=notes,
            delivered=delivered.intersection,
            now=lambda: NOON,
        )
        for _ in range(2)
    )
    inbox = Inbox(Commits(db.engines[WRITER]), here.at_once)
    for update_id in (11, 12, 13):
        _press(inbox, str(bot.id), update_id)
    inbox.stop()
    there.answered("press-11")
    delivered |= {1, 2}
    here.flush(NOON)
    assert settled(here, telegram) == ["press-12"]
    for each in (here, there):
        each.stop()
