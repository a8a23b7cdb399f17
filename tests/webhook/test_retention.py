"""Old updates go with what belongs to them, little by little; what is not settled stays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from flask import Flask
from sqlalchemy import delete, event, func, select
from ulid import ULID

from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER, writing
from tgm.extensions import Base, db
from tgm.shared.ids import new_id
from tgm.webhook.models import Attempt, Delivery, Endpoint, State, StoredUpdate
from tgm.webhook.retention import GIGABYTE, Retention

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = NOON - 31 * DAY
YOUNG = NOON - 29 * DAY


@pytest.fixture
def bot(app: Flask) -> Bot:
    return bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)


@pytest.fixture
def endpoint(bot: Bot) -> ULID:
    with writing() as session:
        row = Endpoint(
            id=new_id(), bot_id=bot.id, name="Shop", url="https://shop.example.com",
            sealed_secret="x", takes_answers=False, created_at=OLD,
        )  # fmt: skip
        session.add(row)
    return row.id


def retention(days: int = 30, gigabytes: float = 5) -> Retention:
    return Retention(db.engines[WRITER], db.engine, days=days, gigabytes=gigabytes)


class Maker:
    """Makes updates in the order of intake."""

    def __init__(self, bot: Bot, endpoint: ULID) -> None:
        self.bot, self.endpoint, self.count = bot, endpoint, 0

    def __call__(
        self,
        received_at: datetime,
        state: State | None = State.DELIVERED,
        *,
        finished_at: datetime | None = None,
        attempts: int = 1,
        size: int = 100,
        times: int = 1,
    ) -> list[int]:
        """Make updates, each with a delivery that stands so; return their numbers."""
        seqs = []
        with writing() as session:
            for _ in range(times):
                self.count += 1
                stored = StoredUpdate(
                    bot_id=self.bot.id, update_id=self.count, kind="message", queue="c1",
                    words="halo", raw=b"x" * size, received_at=received_at, is_test=False,
                )  # fmt: skip
                session.add(stored)
                session.flush()
                seqs.append(stored.seq)
                if state is not None:
                    self._deliver(session, stored, state, finished_at, attempts)
        return seqs

    def _deliver(self, session, stored, state, finished_at, attempts) -> None:  # type: ignore[no-untyped-def]
        delivery = Delivery(
            id=new_id(), endpoint_id=self.endpoint, bot_id=self.bot.id, update_seq=stored.seq,
            queue="c1", kind="message", state=state, attempts_made=attempts,
            finished_at=finished_at, created_at=stored.received_at,
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        for number in range(attempts):
            attempt = Attempt(
                delivery_seq=delivery.seq, number=number + 1, at=stored.received_at,
                milliseconds=5, status=200, signature="s", response_body=b"ok",
            )  # fmt: skip
            session.add(attempt)


@pytest.fixture
def make(bot: Bot, endpoint: ULID) -> Maker:
    return Maker(bot, endpoint)


def left() -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(StoredUpdate.seq).order_by(StoredUpdate.seq)))


def rows(model: type[Base]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


@pytest.fixture
def commits(app: Flask) -> Iterator[list[int]]:
    """How many rows each writing transaction has deleted, the cascades' too."""
    found: list[int] = []
    engine = db.engines[WRITER]

    def count() -> int:
        return sum(rows(model) for model in (StoredUpdate, Delivery, Attempt))

    before = [0]

    def begun(_connection: object) -> None:
        before[0] = count()

    def committed(_connection: object) -> None:
        found.append(before[0])

    event.listen(engine, "begin", begun)
    event.listen(engine, "commit", committed)
    yield found
    event.remove(engine, "begin", begun)
    event.remove(engine, "commit", committed)


def test_what_is_older_than_the_days_goes_with_deliveries_and_attempts(make: Maker) -> None:
    make(OLD, times=3, attempts=2)
    make(OLD, None)
    kept = make(YOUNG, times=2)
    assert retention().purge(NOON) == 4
    assert left() == kept
    assert (rows(Delivery), rows(Attempt)) == (2, 2)


@pytest.mark.parametrize("state", [State.DUE, State.CLAIMED])
def test_what_is_on_its_way_stays_however_old(make: Maker, state: State) -> None:
    kept = make(OLD - 365 * DAY, state)
    assert retention().purge(NOON) == 0
    assert left() == kept


def test_what_was_given_up_stays_until_it_has_been_dead_for_the_time(make: Maker) -> None:
    make(OLD, State.DEAD, finished_at=OLD)
    kept = make(OLD, State.DEAD, finished_at=YOUNG) + make(NOON)
    assert retention().purge(NOON) == 1
    assert left() == kept
    assert retention().purge(NOON + 2 * DAY) == 1


def test_the_oldest_go_first_when_it_is_too_much(make: Maker) -> None:
    seqs = make(YOUNG, times=40, size=100_000)
    purging = retention(gigabytes=2_050_000 / GIGABYTE)
    gone = purging.purge(NOON)
    assert left() == seqs[gone:]
    assert 20 <= gone <= 22
    assert purging.purge(NOON) == 0


def test_what_is_on_its_way_stays_however_much_it_is(make: Maker) -> None:
    waiting = make(YOUNG, State.DUE, times=10, size=100_000)
    dead = make(YOUNG, State.DEAD, finished_at=NOON - DAY, size=100_000)
    make(YOUNG, times=3, size=100_000)
    newest = make(YOUNG)
    assert retention(gigabytes=0.000_01).purge(NOON) == 3
    assert left() == waiting + dead + newest


def test_a_bots_newest_update_stays_so_that_its_number_never_comes_again(make: Maker) -> None:
    seqs = make(OLD, times=3)
    assert retention().purge(NOON) == 2
    assert left() == seqs[2:]
    assert make(NOON)[0] > seqs[2]
    assert retention().purge(NOON) == 1


def test_enough_room_deletes_nothing(make: Maker) -> None:
    make(YOUNG, times=5, size=100_000)
    assert retention(gigabytes=0.000_6).purge(NOON) == 0


def test_attempts_take_room_too(make: Maker) -> None:
    make(YOUNG, attempts=200)
    make(YOUNG)
    assert retention(gigabytes=0.000_05).purge(NOON) == 1


def test_what_another_process_deleted_is_not_deleted_twice_over(make: Maker) -> None:
    purging = retention(gigabytes=0.001_1)
    make(YOUNG, times=10, size=100_000)
    assert purging.purge(NOON) == 0
    # Another one, with less to keep, leaves five; then five more come: ten are within the limit.
    assert retention(gigabytes=0.000_52).purge(NOON) == 5
    make(YOUNG, times=5, size=100_000)
    assert purging.purge(NOON) == 0


def test_numbers_that_come_again_are_counted_again(make: Maker) -> None:
    purging = retention(gigabytes=0.000_5)
    make(OLD, times=4, size=100_000)
    assert purging.purge(NOON) == 3
    # A bot that is deleted takes its newest one along.
    with writing() as session:
        session.execute(delete(StoredUpdate))
    assert purging.purge(NOON) == 0
    make(YOUNG, times=7, size=100_000)
    assert purging.purge(NOON) == 3


def test_one_transaction_deletes_500_rows_at_most(make: Maker, commits: list[int]) -> None:
    make(OLD, times=300, attempts=3)
    make(NOON, None)
    commits.clear()
    assert retention().purge(NOON) == 300
    sizes = [*commits, 1]
    steps = [before - after for before, after in pairwise(sizes)]
    assert sum(steps) == 1500
    assert max(steps) <= 500


def test_one_run_is_bounded_and_the_next_goes_on(make: Maker) -> None:
    seqs = make(OLD, None, times=300)
    make(OLD, State.DUE, times=700)
    late = make(OLD, None, times=1)
    make(NOON)
    purging = retention()
    gone = sum(purging.purge(NOON) for _ in range(3))
    assert gone == len(seqs) + len(late)


def test_a_clock_that_was_wrong_once_holds_nothing_back(make: Maker) -> None:
    make(OLD, times=1)
    ahead = make(NOON + 400 * DAY)
    make(OLD, times=2)
    kept = make(YOUNG)
    assert retention().purge(NOON) == 3
    assert left() == ahead + kept
