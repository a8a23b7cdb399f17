"""Attempts are counted as they are recorded, once each, with the time that they took."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from ulid import ULID

from tests.ending import join
from tests.fakes.receiver import Receiver, answers
from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tests.webhook.delivering import (
    NOON,
    SECOND,
    a_deliverer,
    delivery_of,
    endpoint_at,
    work,
    work_all,
)
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.proxy import counting as calls
from tgm.shared.spans import FIVE_MINUTES, HOUR, SPANS
from tgm.webhook import counting, endpoints, figures, forgetting
from tgm.webhook.commits import Commits
from tgm.webhook.delivery import Deliverer
from tgm.webhook.figure_models import DeliveryFigure, Outcome
from tgm.webhook.figures import DeliveryTotals, Series
from tgm.webhook.models import Delivery, Endpoint, State
from tgm.webhook.recording import Ended, Recorder
from tgm.webhook.replay import replay_one
from tgm.webhook.schedule import RETRIES

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")

DAY = timedelta(days=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def bot(app: Flask) -> Bot:
    return bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)


@pytest.fixture
def endpoint(bot: Bot, receiver: Receiver) -> Endpoint:
    return endpoint_at(bot.id, receiver)


@pytest.fixture
def worker(app: Flask) -> Iterator[Deliverer]:
    with a_deliverer() as deliverer:
        yield deliverer


def shown(bot: Bot, span: str = "1h") -> Series:
    # A moment later: an attempt's end lies a little after its beginning.
    return figures.series(bot.team_id, SPANS[span], NOON + SECOND)


def sums(bot: Bot, span: str = "1h") -> dict[Outcome, int]:
    return {each: sum(counts) for each, counts in shown(bot, span).counts.items() if any(counts)}


def rows() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(DeliveryFigure)) or 0


def test_attempts_are_counted_by_how_they_ended(
    bot: Bot, endpoint: Endpoint, receiver: Receiver, worker: Deliverer
) -> None:
    receiver.replies(answers(200), answers(500), answers(503))
    delivery_of(endpoint, 1, chat_id=1)
    delivery_of(endpoint, 2, chat_id=2)
    delivery_of(endpoint, 3, chat_id=3, attempts_made=len(RETRIES))
    work(worker, NOON)
    expected = {Outcome.DELIVERED: 1, Outcome.FAILED: 1, Outcome.GIVEN_UP: 1}
    assert sums(bot, "1h") == sums(bot, "24h") == sums(bot, "7d") == sums(bot, "30d") == expected
    assert figures.totals_by_bot(bot.team_id, NOON - DAY) == {bot.id: DeliveryTotals(1, 1, 1)}


def test_what_is_delivered_in_the_end_counts_for_each_attempt(
    bot: Bot, endpoint: Endpoint, receiver: Receiver, worker: Deliverer
) -> None:
    receiver.replies(answers(500))
    delivery_of(endpoint, 1, at=NOON - 60 * SECOND)
    work(worker, NOON - 60 * SECOND)
    work(worker, NOON)
    assert sums(bot) == {Outcome.FAILED: 1, Outcome.DELIVERED: 1}


def test_a_replay_counts_as_a_delivery(bot: Bot, endpoint: Endpoint, worker: Deliverer) -> None:
    delivery = delivery_of(endpoint, 1)
    work(worker, NOON)
    again = replay_one(bot.team_id, delivery.id, COMMAND_LINE)
    work(worker, again.created_at)
    totals = figures.totals_by_bot(bot.team_id, min(NOON, again.created_at) - DAY)
    assert totals == {bot.id: DeliveryTotals(delivered=2)}


def test_the_time_counts_from_the_updates_arrival(
    bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    for number, seconds in enumerate((10, 20, 90)):
        delivery_of(endpoint, number, chat_id=number, at=NOON - seconds * SECOND)
    work(worker, NOON)
    found = shown(bot)
    assert found.mean[:-1] == found.slowest[:-1] == (None,) * 11
    mean, slowest = found.mean[-1], found.slowest[-1]
    assert mean is not None
    assert slowest is not None
    assert 40_000 <= mean < 45_000
    assert 90_000 <= slowest < 95_000
    assert found.mean_of_all == mean


def test_only_what_arrived_has_a_time(
    bot: Bot, endpoint: Endpoint, receiver: Receiver, worker: Deliverer
) -> None:
    receiver.replies(answers(500))
    delivery_of(endpoint, 1, at=NOON - 90 * SECOND)
    work(worker, NOON)
    assert shown(bot).mean_of_all is None
    assert set(shown(bot).slowest) == {None}


def test_the_figures_are_what_counting_the_deliveries_gives(
    bot: Bot, endpoint: Endpoint, receiver: Receiver, worker: Deliverer
) -> None:
    receiver.replies(*(answers(500 if number % 3 else 200) for number in range(30)))
    for number in range(30):
        delivery_of(endpoint, number, chat_id=number, attempts_made=number % 2 * len(RETRIES))
    work_all(worker, NOON)
    query = select(Delivery.state, func.count()).group_by(Delivery.state)
    by_state = {row[0]: row[1] for row in db.session.execute(query)}
    assert sums(bot) == {
        Outcome.DELIVERED: by_state[State.DELIVERED],
        Outcome.FAILED: by_state[State.DUE],
        Outcome.GIVEN_UP: by_state[State.DEAD],
    }
    assert sum(by_state.values()) == 30


def ended(seq: int, endpoint: Endpoint) -> Ended:
    row = {
        "delivery_seq": seq,
        "number": 1,
        "at": NOON,
        "milliseconds": 1,
        "status": 200,
        "error": None,
        "signature": "",
        "response_headers": None,
        "response_body": None,
        "called": None,
    }
    return Ended(seq, str(endpoint.id), NOON, row, State.DELIVERED, None, None, problem=None)


def test_workers_that_record_at_the_same_time_add_up(
    bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    for number in range(40):
        delivery_of(endpoint, number, chat_id=number)
    recorders = [Recorder(Commits(db.engines[WRITER]), worker.owner) for _ in range(4)]
    claimed = worker.claim(40, NOON)

    def keep(place: int) -> None:
        for one in claimed[place::4]:
            recorders[place].keep([ended(one.seq, endpoint)])

    threads = [threading.Thread(target=keep, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    join(*threads)
    assert sums(bot) == {Outcome.DELIVERED: len(claimed)}
    assert rows() == 2


def test_a_worker_that_lost_its_lease_is_not_counted(
    bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    delivery_of(endpoint, 1)
    (claimed,) = worker.claim(1, NOON)
    stranger = Recorder(Commits(db.engines[WRITER]), str(ULID()))
    stranger.keep([ended(claimed.seq, endpoint)])
    assert sums(bot) == {}


def test_another_teams_deliveries_are_not_counted(
    bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    delivery_of(endpoint, 1)
    work(worker, NOON)
    stranger = make_team("Warung")
    assert figures.totals_by_bot(stranger, NOON - DAY) == {}
    counts = figures.series(stranger, SPANS["1h"], NOON + SECOND).counts
    assert not any(any(each) for each in counts.values())


def test_figures_go_with_their_endpoint(bot: Bot, endpoint: Endpoint, worker: Deliverer) -> None:
    delivery_of(endpoint, 1)
    work(worker, NOON)
    assert rows() == 2
    endpoints.remove(bot.team_id, endpoint.id, COMMAND_LINE)
    assert rows() == 0


def test_figures_go_with_their_bot(bot: Bot, endpoint: Endpoint, worker: Deliverer) -> None:
    delivery_of(endpoint, 1)
    work(worker, NOON)
    forgetting.forget(bot.team_id, bot.id, COMMAND_LINE)
    assert rows() == 0


def test_reading_never_touches_the_deliveries(
    bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    team_id = bot.team_id
    event.listen(db.engine, "before_cursor_execute", listen)
    for span in SPANS.values():
        figures.series(team_id, span, NOON)
    figures.totals_by_bot(team_id, NOON - DAY)
    event.remove(db.engine, "before_cursor_execute", listen)
    selects = [each for each in asked if each.startswith("SELECT")]
    assert len(selects) == len(SPANS) + 1
    for each in selects:
        assert "FROM delivery_figures JOIN endpoints" in each
        assert not any(name in each for name in (" deliveries", " attempts ", " updates"))


def test_old_figures_are_purged_by_a_job(
    app: Flask, bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    for days in (0, 1, 3, 32):
        delivery_of(endpoint, days, chat_id=days, at=NOON - days * DAY)
        work(worker, NOON - days * DAY)
    calls.purge(db.engines[WRITER], counting.figures, NOON, timedelta(days=30))
    db.session.rollback()
    steps = list(db.session.scalars(select(DeliveryFigure.step)))
    assert (steps.count(FIVE_MINUTES), steps.count(HOUR)) == (2, 3)
    assert "purge delivery figures" in {job.name for job in runtime.relay.jobs()}
