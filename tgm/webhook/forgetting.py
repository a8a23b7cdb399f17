"""What a bot leaves behind when it is deleted: counted first, then removed in small steps."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select
from ulid import ULID

from tgm.audit.service import Actor
from tgm.bots import service as bots
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.telegram.errors import TelegramRefused
from tgm.webhook import receiving
from tgm.webhook.models import OPEN, Delivery, Endpoint, StoredUpdate

_STEP = 500


@dataclass(frozen=True)
class Held:
    """How much there is of a bot's. `undelivered` deliveries would never reach their receiver, and
    `queued` calls would never be made."""

    endpoints: int
    updates: int
    deliveries: int
    undelivered: int
    queued: int = 0


def held(team_id: ULID, bot_id: ULID) -> Held:
    """Count what would go with the bot. Raises NotFound."""
    bots.get(team_id, bot_id)

    def count(column: ColumnElement[object], *conditions: ColumnElement[bool]) -> int:
        return db.session.scalar(select(func.count(column)).where(*conditions)) or 0

    mine = Delivery.bot_id == bot_id
    return Held(
        endpoints=count(Endpoint.id, Endpoint.bot_id == bot_id),  # type: ignore[arg-type]
        updates=count(StoredUpdate.seq, StoredUpdate.bot_id == bot_id),  # type: ignore[arg-type]
        deliveries=count(Delivery.seq, mine),  # type: ignore[arg-type]
        undelivered=count(Delivery.seq, mine, Delivery.state.in_(OPEN)),  # type: ignore[arg-type]
        queued=runtime.sending.queued(bot_id),
    )


def held_of(endpoint_id: ULID) -> Held:
    """Count what would go with one endpoint; of updates none does."""
    mine = Delivery.endpoint_id == endpoint_id
    count = select(func.count(Delivery.seq)).where(mine)
    waiting = db.session.scalar(count.where(Delivery.state.in_(OPEN)))
    return Held(1, 0, db.session.scalar(count) or 0, waiting or 0)


def forget(team_id: ULID, bot_id: ULID, actor: Actor) -> Held:
    """Stop receiving, and remove the bot's endpoints, updates and deliveries; return the counts.

    To be called before the bot itself is deleted. Raises NotFound, and TelegramUnreachable: a
    webhook that nobody can take away any more would be left behind.
    """
    counts = held(team_id, bot_id)
    if receiving.of_bot(bot_id) is not None:
        try:
            receiving.hand_back(team_id, bot_id, actor)
        except TelegramRefused:
            receiving.let_go(bot_id, actor)
    # Updates take their deliveries and attempts along. Others write in between the steps.
    some = select(StoredUpdate.seq).where(StoredUpdate.bot_id == bot_id).limit(_STEP)
    gone = _STEP
    while gone == _STEP:
        with writing() as session:
            seqs = session.scalars(some).all()
            session.execute(delete(StoredUpdate).where(StoredUpdate.seq.in_(seqs)))
            gone = len(seqs)
    with writing() as session:
        session.execute(delete(Endpoint).where(Endpoint.bot_id == bot_id))
    return counts
