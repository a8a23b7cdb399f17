"""A replay is a new delivery of the same update, in its turn and at a pace."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from ulid import ULID

from tests.fakes.telegram import TOKEN
from tests.making import acts, make_team
from tests.webhook.rows import an_update, make_attempt, make_delivery, make_endpoint
from tgm.audit.service import Actor
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.shared.errors import NotFound
from tgm.shared.ids import new_id
from tgm.webhook.models import Delivery, Endpoint, State, StoredUpdate
from tgm.webhook.replay import Filter, begin, matching, replay_all, replay_one
from tgm.webhook.replaying import Replays

ANI = Actor("ani@example.com")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, ANI)


@pytest.fixture
def endpoint(bot: Bot) -> Endpoint:
    return make_endpoint(bot.id)


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(1, 1000))


def done(endpoint: Endpoint, update_id: int, **fields: Any) -> Delivery:
    given = {"state": State.DELIVERED, "next_at": None, "finished_at": NOON, **fields}
    chat = given.pop("chat", 523067421)
    text = given.pop("text", "Halo")
    return make_delivery(endpoint, an_update(update_id, text, chat), **given)


def replays() -> list[Delivery]:
    db.session.rollback()
    query = select(Delivery).where(Delivery.origin_id.is_not(None)).order_by(Delivery.seq)
    return list(db.session.scalars(query))


def test_a_replay_is_a_new_delivery_that_names_its_origin(team: ULID, endpoint: Endpoint) -> None:
    origin = done(endpoint, 1, attempts_made=3, last_status=200)
    make_attempt(origin)
    made = replay_one(team, origin.id, ANI)
    (kept,) = replays()
    assert kept.id == made.id != origin.id
    assert kept.origin_id == origin.id
    same = ("endpoint_id", "bot_id", "update_seq", "queue", "kind")
    assert [getattr(kept, name) for name in same] == [getattr(origin, name) for name in same]
    assert (kept.state, kept.attempts_made, kept.last_status) == (State.DUE, 0, None)
    assert kept.next_at is not None
    assert kept.next_at <= utcnow()
    # The origin stands as it stood.
    assert db.session.get_one(Delivery, origin.seq).state is State.DELIVERED


def test_a_replay_comes_after_what_waits(team: ULID, endpoint: Endpoint) -> None:
    origin = done(endpoint, 1)
    waiting = make_delivery(endpoint, an_update(2))
    made = replay_one(team, origin.id, ANI)
    assert made.seq > waiting.seq
    assert made.queue == waiting.queue


def test_another_teams_delivery_is_not_found(team: ULID, endpoint: Endpoint) -> None:
    stranger = make_team("Warung")
    origin = done(endpoint, 1)
    with pytest.raises(NotFound):
        replay_one(stranger, origin.id, ANI)
    with pytest.raises(NotFound):
        replay_one(team, new_id(), ANI)
    assert matching(stranger, Filter()) == 0
    assert replay_all(stranger, Filter(), ANI) == 0
    assert replays() == []


def test_each_part_of_the_filter_narrows(team: ULID, bot: Bot, endpoint: Endpoint) -> None:
    other = make_endpoint(bot.id, "Other")
    found = done(endpoint, 7, chat=-1001, text="Pesanan 100%", at=NOON)
    rows: list[tuple[Endpoint, dict[str, Any]]] = [
        (other, {}),
        (endpoint, {"state": State.DEAD}),
        (endpoint, {"kind": "callback_query"}),
        (endpoint, {"at": NOON - SECOND}),
        (endpoint, {"at": NOON + HOUR}),
    ]
    for number, (of, given) in enumerate(rows):
        done(of, 100 + number, **{"at": NOON, **given})
    for wanted, expected in (
        (Filter(), 6),
        (Filter(endpoint=other.id), 1),
        (Filter(state=State.DEAD), 1),
        (Filter(kind="callback_query"), 1),
        (Filter(chat=-1001), 1),
        (Filter(update_id=7), 1),
        (Filter(since=NOON), 5),
        (Filter(until=NOON + HOUR), 5),
        (Filter(since=NOON, until=NOON + HOUR), 4),
        (Filter(text="pesanan 100%"), 1),
        (Filter(text="%"), 1),
        (Filter(text="_"), 0),
        (Filter(text="-1001"), 1),
        (Filter(text="7"), 1),
        (Filter(text="9" * 19), 0),
        (Filter(text="9" * 30), 0),
        (Filter(bot=bot.id), 6),
        (Filter(bot=new_id()), 0),
    ):
        assert matching(team, wanted) == expected, wanted
    wanted = Filter(endpoint=endpoint.id, state=State.DELIVERED, kind="message", chat=-1001)
    assert replay_all(team, wanted, ANI) == 1
    assert [made.origin_id for made in replays()] == [found.id]


def test_what_is_on_its_way_is_replayed_only_when_asked_for(team: ULID, endpoint: Endpoint) -> None:
    done(endpoint, 1)
    make_delivery(endpoint, an_update(2))
    assert matching(team, Filter()) == 1
    assert matching(team, Filter(state=State.DUE)) == 1


def test_an_update_that_was_replayed_before_is_replayed_once(
    team: ULID, endpoint: Endpoint
) -> None:
    origin = done(endpoint, 1)
    first = replay_one(team, origin.id, ANI)
    with writing() as session:
        session.get_one(Delivery, first.seq).state = State.DELIVERED
    assert matching(team, Filter()) == 1
    assert replay_all(team, Filter(), ANI) == 1
    assert [made.origin_id for made in replays()] == [origin.id, first.id]


def test_it_is_told_beforehand_how_many_a_replay_makes(team: ULID, bot: Bot) -> None:
    for first, name in ((1, "Shop"), (10, "Archive")):
        endpoint = make_endpoint(bot.id, name)
        for origin in [done(endpoint, first + number) for number in range(3)][:2]:
            for _ in range(2):
                made = replay_one(team, origin.id, ANI)
                with writing() as session:
                    session.get_one(Delivery, made.seq).state = State.DELIVERED
    for wanted, number in ((Filter(), 6), (Filter(chat=7), 0), (Filter(text="10"), 1)):
        assert matching(team, wanted) == number
        assert replay_all(team, wanted, ANI) == number


def test_replays_keep_the_order_in_which_the_updates_came(team: ULID, endpoint: Endpoint) -> None:
    origins = [done(endpoint, number) for number in range(1, 26)]
    # The first was replayed already: its place is still the first.
    again = replay_one(team, origins[0].id, ANI)
    with writing() as session:
        session.get_one(Delivery, again.seq).state = State.DEAD
    replay_all(team, Filter(), ANI, now=clock(), wait=lambda _: None)
    assert [made.update_seq for made in replays()[1:]] == [each.update_seq for each in origins]


def clock() -> Any:
    """A clock on which a second passes at each look."""
    moments = (NOON + SECOND * number for number in range(1000))
    return lambda: next(moments)


@pytest.mark.given(DELIVERY_DRAIN_PER_SECOND="4")
def test_many_are_replayed_at_the_pace_of_a_backlog(team: ULID, endpoint: Endpoint) -> None:
    for number in range(10):
        done(endpoint, number)
    replay = begin(team, Filter(), ANI)
    assert (replay.total, len(replays())) == (10, 0)
    assert replay.step(NOON) == SECOND
    assert len(replays()) == 4
    # Before the second is over, nothing more.
    assert replay.step(NOON + SECOND / 4) == SECOND * 3 / 4
    assert len(replays()) == 4
    assert replay.step(NOON + SECOND) == SECOND
    assert replay.step(NOON + 2 * SECOND) == timedelta(0)
    assert (replay.is_over, replay.made, len(replays())) == (True, 10, 10)


@pytest.mark.given(DELIVERY_DRAIN_PER_SECOND="4")
def test_progress_is_told_and_every_second_waited_for(team: ULID, endpoint: Endpoint) -> None:
    for number in range(10):
        done(endpoint, number)
    told: list[tuple[int, ...]] = []
    waits: list[float] = []
    made = replay_all(
        team, Filter(), ANI, on_progress=lambda *at: told.append(at), now=clock(), wait=waits.append
    )
    assert made == 10
    assert told == [(4, 10), (8, 10), (10, 10)]
    assert waits == [1.0, 1.0]


@pytest.mark.given(DELIVERY_DRAIN_PER_SECOND="2")
def test_what_was_purged_meanwhile_is_passed_over(team: ULID, endpoint: Endpoint) -> None:
    origins = [done(endpoint, number) for number in range(4)]
    replay = begin(team, Filter(), ANI)
    replay.step(NOON)
    with writing() as session:
        session.delete(session.get_one(StoredUpdate, origins[2].update_seq))
    replay.step(NOON + SECOND)
    assert (replay.is_over, replay.made) == (True, 3)


@pytest.mark.given(DELIVERY_DRAIN_PER_SECOND="1000")
def test_a_screen_follows_a_replay_in_the_background(team: ULID, endpoint: Endpoint) -> None:
    for number in range(3):
        done(endpoint, number)
    running = Replays()
    replay = running.start(team, Filter(), ANI)
    running.join(10)
    assert running.get(team, replay.id).made == len(replays()) == 3
    with pytest.raises(NotFound):
        running.get(make_team("Warung"), replay.id)
    with pytest.raises(NotFound):
        running.get(team, new_id())


def test_who_replayed_what_is_in_the_audit_log(team: ULID, endpoint: Endpoint) -> None:
    origin = done(endpoint, 1)
    made = replay_one(team, origin.id, ANI)
    replay_all(team, Filter(), ANI)
    replay_all(team, Filter(chat=5), ANI)
    one, many = [act for act in acts(team) if "replayed" in act.action]
    assert (one.action, one.subject_id) == ("delivery.replayed", str(origin.id))
    assert one.details == {"new_id": str(made.id)}
    assert (many.action, many.details["deliveries"]) == ("deliveries.replayed", 1)
