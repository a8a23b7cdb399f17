"""What was put in is on disk, once, with its deliveries; many callers share one commit."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import Engine, event, func, select

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import make_team
from tests.webhook.rows import an_update, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db
from tgm.shared.ids import new_id
from tgm.webhook import facts
from tgm.webhook.commits import Commits
from tgm.webhook.inbox import Inbox, NotStored
from tgm.webhook.models import Delivery, State, StoredUpdate
from tgm.webhook.storing import Stored

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def bot(app: Flask) -> Bot:
    return bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)


@pytest.fixture
def other_bot(app: Flask, telegram: FakeTelegram) -> Bot:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    return bots.add(make_team("Warung"), OTHER_TOKEN, None, COMMAND_LINE)


@pytest.fixture
def told() -> list[Stored]:
    """What the inbox has told of."""
    return []


@pytest.fixture
def inbox(app: Flask, told: list[Stored]) -> Iterator[Inbox]:
    inbox = Inbox(Commits(db.engines[WRITER]), told.extend)
    yield inbox
    inbox.stop()


def put(inbox: Inbox, bot_id: object, raw: bytes) -> bool:
    return inbox.put(str(bot_id), raw, facts.read(raw), NOON)


def commits(engine: Engine) -> list[object]:
    seen: list[object] = []
    event.listen(engine, "commit", seen.append)
    return seen


def updates() -> Sequence[StoredUpdate]:
    db.session.rollback()
    return db.session.scalars(select(StoredUpdate).order_by(StoredUpdate.seq)).all()


def deliveries() -> Sequence[Delivery]:
    db.session.rollback()
    return db.session.scalars(select(Delivery).order_by(Delivery.seq)).all()


def test_the_bytes_are_kept_as_they_came(inbox: Inbox, bot: Bot) -> None:
    raw = b'{ "update_id":9, "message":{"chat":{"id":5},\t"text":"\\u00e9 \xc3\xa9"} }\n'
    assert put(inbox, bot.id, raw)
    (update,) = updates()
    assert (update.raw, update.update_id, update.kind) == (raw, 9, "message")
    assert (update.queue, update.received_at, update.is_test) == ("c5", NOON, False)


def test_a_repetition_is_kept_once_and_told_once(
    inbox: Inbox, bot: Bot, other_bot: Bot, told: list[Stored]
) -> None:
    make_endpoint(bot.id)
    assert put(inbox, bot.id, an_update(9))
    assert not put(inbox, bot.id, an_update(9, "again"))
    assert put(inbox, other_bot.id, an_update(9)), "update ids are a bot's own"
    assert [one.bot_id for one in told] == [str(bot.id), str(other_bot.id)]
    assert len(updates()) == 2
    assert len(deliveries()) == 1


def test_a_repetition_within_one_commit_is_kept_once(
    inbox: Inbox, bot: Bot, told: list[Stored]
) -> None:
    raws = [an_update(9), an_update(8), an_update(9, "again"), an_update(10)]
    count = inbox.put_many(str(bot.id), [(raw, facts.read(raw)) for raw in raws], NOON)
    assert count == len(told) == 3
    assert [update.update_id for update in updates()] == [9, 8, 10], "in the order of intake"
    assert [one.seq for one in told] == [update.seq for update in updates()]


def test_each_endpoint_that_wants_the_kind_gets_a_delivery_in_the_same_commit(
    inbox: Inbox, bot: Bot, other_bot: Bot
) -> None:
    everything = make_endpoint(bot.id, "All")
    messages = make_endpoint(bot.id, "Messages", kinds=["message"])
    paused = make_endpoint(bot.id, "Paused", paused_because="person", paused_at=NOON)
    make_endpoint(bot.id, "Polls", kinds=["poll"])
    make_endpoint(other_bot.id, "Foreign")
    seen = commits(db.engines[WRITER])
    put(inbox, bot.id, an_update(9, chat_id=5))
    assert len(seen) == 1
    found = deliveries()
    assert {row.endpoint_id for row in found} == {everything.id, messages.id, paused.id}
    (update,) = updates()
    for row in found:
        assert (row.state, row.next_at, row.attempts_made) == (State.DUE, NOON, 0)
        assert (row.queue, row.kind, row.update_seq) == ("c5", "message", update.seq)
        assert (row.bot_id, row.created_at, row.origin_id) == (bot.id, NOON, None)
    assert len({row.id for row in found}) == 3


def test_a_caller_goes_on_only_when_it_is_on_disk(inbox: Inbox, bot: Bot) -> None:
    # While somebody else writes, nothing can be committed.
    with ThreadPoolExecutor(1) as pool:
        with db.engines[WRITER].begin():
            waiting = pool.submit(put, inbox, bot.id, an_update(9))
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
            assert updates() == []
        assert waiting.result(10) is True
    assert len(updates()) == 1


class Held:
    """An inbox whose thread is held up after its first commit, until `gate` is opened."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.inbox = Inbox(Commits(db.engines[WRITER]), self._hold_up)

    def _hold_up(self, _stored: Sequence[Stored]) -> None:
        self.gate.wait(10)

    def wait_for_the_first(self) -> None:
        """Wait until the first commit is made."""
        until = time.monotonic() + 10
        while not updates():
            assert time.monotonic() < until, "the first update was not stored"
            time.sleep(0.001)

    def wait_for(self, count: int) -> None:
        """Wait until so many callers are waiting."""
        until = time.monotonic() + 10
        while self.inbox._queue.qsize() < count and time.monotonic() < until:
            time.sleep(0.001)


def test_concurrent_callers_share_commits(bot: Bot) -> None:
    held, bot_id = Held(), str(bot.id)
    seen = commits(db.engines[WRITER])
    with ThreadPoolExecutor(32) as pool:
        first = pool.submit(put, held.inbox, bot_id, an_update(0))
        held.wait_for_the_first()
        others = [pool.submit(put, held.inbox, bot_id, an_update(i)) for i in range(1, 32)]
        held.wait_for(31)
        held.gate.set()
        assert all(each.result(10) for each in [first, *others])
    held.inbox.stop()
    assert len(seen) == 2
    assert len(updates()) == 32


def test_one_that_cannot_be_stored_does_not_cost_the_others(bot: Bot) -> None:
    held, bot_id = Held(), str(bot.id)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(put, held.inbox, bot_id, an_update(1))
        held.wait_for_the_first()
        bad = pool.submit(put, held.inbox, new_id(), an_update(2))
        good = [pool.submit(put, held.inbox, bot_id, an_update(i)) for i in range(3, 8)]
        held.wait_for(6)
        held.gate.set()
        assert all(each.result(10) for each in [first, *good])
        with pytest.raises(NotStored):
            bad.result(10)
    held.inbox.stop()
    assert sorted(update.update_id for update in updates()) == [1, *range(3, 8)]


def test_the_inbox_goes_on_after_a_failure(
    inbox: Inbox, bot: Bot, told: list[Stored], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotStored):
        put(inbox, new_id(), an_update(1, "a customer's words"))
    assert told == []
    assert put(inbox, bot.id, an_update(1))
    assert "customer" not in caplog.text


def test_whoever_listens_cannot_undo_what_is_stored(bot: Bot) -> None:
    def fail(_stored: Sequence[Stored]) -> None:
        raise RuntimeError

    inbox = Inbox(Commits(db.engines[WRITER]), fail)
    assert put(inbox, bot.id, an_update(1))
    assert put(inbox, bot.id, an_update(2))
    inbox.stop()
    assert len(updates()) == 2


def test_it_stops_after_what_waits_and_takes_nothing_more(bot: Bot) -> None:
    held, bot_id = Held(), str(bot.id)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(put, held.inbox, bot_id, an_update(0))
        held.wait_for_the_first()
        waiting = [pool.submit(put, held.inbox, bot_id, an_update(i)) for i in range(1, 4)]
        held.wait_for(3)
        held.gate.set()
        held.inbox.stop()
        assert all(each.result(10) for each in [first, *waiting])
    assert len(updates()) == 4
    with pytest.raises(NotStored):
        put(held.inbox, bot_id, an_update(9))


def test_the_order_of_intake_is_kept_over_many_commits(inbox: Inbox, bot: Bot) -> None:
    for number in range(50, 0, -1):
        put(inbox, bot.id, an_update(number))
    assert [update.update_id for update in updates()] == list(range(50, 0, -1))
    assert db.session.scalar(select(func.count(StoredUpdate.seq))) == 50
