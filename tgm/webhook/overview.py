"""How bots stand at a glance. Reads only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from ulid import ULID

from tgm.bots.models import Bot
from tgm.extensions import db
from tgm.webhook.models import OPEN, Delivery, Reception, State, StoredUpdate


@dataclass(frozen=True)
class Standing:
    """How a bot stands. `mode` is None while TGM does not receive; `problem` as in Reception."""

    mode: str | None = None
    problem: str | None = None
    pending: int = 0
    failing: int = 0
    given_up: int = 0


def last_update_at(bot_id: ULID) -> datetime | None:
    """Return when Telegram's last update came in, None where none has or all are purged."""
    query = select(StoredUpdate.received_at).where(
        StoredUpdate.bot_id == bot_id, StoredUpdate.is_test.is_(False)
    )
    return db.session.scalar(query.order_by(StoredUpdate.seq.desc()).limit(1))


def by_bot(team_id: ULID) -> dict[ULID, Standing]:
    """Return how each of a team's bots stands."""
    is_open = Delivery.state.in_(OPEN)
    counts = (
        select(
            Delivery.bot_id,
            _count(is_open),
            _count(is_open & (Delivery.attempts_made > 0)),
            _count(Delivery.state == State.DEAD),
        )
        # By state alone, whichever team's: what is open or given up is few, and has an index.
        .where(Delivery.state.in_((*OPEN, State.DEAD)))
        .group_by(Delivery.bot_id)
    )
    counted = {row[0]: row[1:] for row in db.session.execute(counts)}
    receptions = (
        select(Bot.id, Reception.mode, Reception.problem)
        .outerjoin(Reception, Reception.bot_id == Bot.id)
        .where(Bot.team_id == team_id)
    )
    return {
        bot_id: Standing(mode and mode.value, problem, *counted.get(bot_id, (0, 0, 0)))
        for bot_id, mode, problem in db.session.execute(receptions)
    }


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)
