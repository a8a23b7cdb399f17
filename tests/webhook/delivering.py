"""A worker on the test's own database, and time that is handed to it."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select
from ulid import ULID

from tests.fakes.receiver import Receiver
from tests.webhook.rows import an_update, make_delivery, make_endpoint
from tgm.database import WRITER, writing
from tgm.extensions import db, runtime
from tgm.security.outbound import Outbound
from tgm.shared.ids import new_id
from tgm.webhook.answers import Calls
from tgm.webhook.commits import Commits
from tgm.webhook.delivery import Deliverer, Hooks
from tgm.webhook.models import Attempt, Delivery, Endpoint, State, StoredUpdate

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@contextmanager
def a_deliverer(
    owner: str | None = None, hooks: Hooks | None = None, total_seconds: float = 5
) -> Iterator[Deliverer]:
    """A worker that waits exactly as long as the schedule says."""
    settings = runtime.settings
    outbound = Outbound(settings.webhook_allowed_networks, total_seconds=total_seconds)
    yield Deliverer(
        db.engine,
        Commits(db.engines[WRITER]),
        owner=owner or str(new_id()),
        settings=settings,
        vault=runtime.vault,
        outbound=outbound,
        calls=Calls(runtime.telegram, runtime.vault, runtime.snapshot, runtime.sending.own),
        hooks=hooks,
        jitter=lambda: 0.0,
    )
    outbound.close()


def work(deliverer: Deliverer, now: datetime, limit: int = 100) -> int:
    """Attempt all that may start now; return how many that were."""
    claimed = deliverer.claim(limit, now)
    for one in claimed:
        deliverer.attempt(one, now)
    return len(claimed)


def work_all(deliverer: Deliverer, now: datetime) -> int:
    """Go on until nothing may start any more."""
    total = 0
    while count := work(deliverer, now):
        total += count
    return total


def endpoint_at(bot_id: ULID, receiver: Receiver, name: str = "Toko", **fields: object) -> Endpoint:
    return make_endpoint(bot_id, name, url=receiver.url, **fields)


def delivery_of(
    endpoint: Endpoint, update_id: int, chat_id: int = 1, at: datetime = NOON, **fields: object
) -> Delivery:
    """An update that has just come, due at once."""
    values: dict[str, object] = {"next_at": at, **fields}
    return make_delivery(endpoint, an_update(update_id, chat_id=chat_id), at=at, **values)


def many(endpoint: Endpoint, updates: Iterable[tuple[int, int]], at: datetime = NOON) -> None:
    """Store many updates at once, given as update id and chat."""
    rows = [
        {
            "bot_id": endpoint.bot_id,
            "update_id": update_id,
            "is_test": False,
            "kind": "message",
            "queue": f"c{chat_id}",
            "chat_id": chat_id,
            "user_id": chat_id,
            "words": "",
            "raw": an_update(update_id, chat_id=chat_id),
            "received_at": at,
        }
        for update_id, chat_id in updates
    ]
    with writing() as session:
        session.execute(insert(StoredUpdate), rows)
        stored = session.execute(
            select(StoredUpdate.seq, StoredUpdate.queue).order_by(StoredUpdate.seq)
        ).all()
        session.execute(
            insert(Delivery),
            [
                {
                    "id": new_id(),
                    "endpoint_id": endpoint.id,
                    "bot_id": endpoint.bot_id,
                    "update_seq": seq,
                    "queue": queue,
                    "kind": "message",
                    "state": State.DUE,
                    "attempts_made": 0,
                    "next_at": at,
                    "created_at": at,
                }
                for seq, queue in stored[-len(rows) :]
            ],
        )


def now_is(delivery: Delivery) -> Delivery:
    """Return the delivery as it stands now."""
    db.session.rollback()
    return db.session.get_one(Delivery, delivery.seq, populate_existing=True)


def endpoint_now(endpoint: Endpoint) -> Endpoint:
    db.session.rollback()
    return db.session.get_one(Endpoint, endpoint.id, populate_existing=True)


def attempts_of(delivery: Delivery) -> list[Attempt]:
    db.session.rollback()
    query = select(Attempt).where(Attempt.delivery_seq == delivery.seq).order_by(Attempt.id)
    return list(db.session.scalars(query))


def shuffled(count: int, chats: int, seed: int) -> list[tuple[int, int]]:
    """Return that many updates over some chats, mixed."""
    chance = random.Random(seed)
    return [(number, chance.randint(1, chats)) for number in range(1, count + 1)]
