"""Trying a failing endpoint again at once, instead of when its schedule says."""

from sqlalchemy import func, select, update
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.database import writing
from tgm.extensions import runtime
from tgm.shared.clock import utcnow
from tgm.webhook import endpoints
from tgm.webhook.models import OPEN, Delivery, State


def try_now(team_id: ULID, endpoint_id: ULID, actor: Actor) -> int:
    """Let all that waits for the endpoint go now, at a set pace; return how many deliveries.

    A paused endpoint stays paused. Raises NotFound.
    """
    now = utcnow()
    with writing() as session:
        endpoint = endpoints.find(session, team_id, endpoint_id)
        waiting = (Delivery.endpoint_id == endpoint_id, Delivery.state.in_(OPEN))
        last = session.scalar(select(func.max(Delivery.seq)).where(*waiting))
        if last is not None:
            # A receiver that has just come back must not be flooded.
            endpoint.drain_until_seq = max(last, endpoint.drain_until_seq or 0)
        late = session.scalars(
            update(Delivery)
            .where(*waiting, Delivery.state == State.DUE, Delivery.next_at > now)
            .values(next_at=now)
            .returning(Delivery.seq)
            .execution_options(synchronize_session=False)
        ).all()
        record(
            session,
            actor,
            "endpoint.hurried",
            team_id=team_id,
            subject_id=endpoint.id,
            subject_name=endpoint.name,
            bot=str(endpoint.bot_id),
            deliveries=len(late),
        )
    runtime.relay.wake()
    return len(late)
