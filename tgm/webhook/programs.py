"""Receiving for programs that take a bot's updates from TGM as they would from Telegram."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots.change import changing
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.security.secret import Secret
from tgm.security.signing import new_secret
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook import receiving
from tgm.webhook.checking import address, host
from tgm.webhook.models import OPEN, Acknowledge, Delivery, Endpoint, Reception, State, StoredUpdate


@dataclass(frozen=True)
class Webhook:
    """What a program asked for by setWebhook. `kinds` are kinds of update, never none."""

    url: str
    kinds: Sequence[str]
    max_connections: int
    secret_token: Secret | None
    takes_answers: bool


def receive(team_id: ULID, bot_id: ULID, actor: Actor, kinds: Collection[str] = ()) -> None:
    """Switch receiving on where it is off, and leave button presses to the programs.

    They answer presses themselves, as they always did; unless a person has chosen otherwise, TGM
    does so only for those that stay unanswered. Telegram is asked for `kinds`, too. Raises as
    `receiving.switch_on` does.
    """
    try:
        _receive(team_id, bot_id, actor, kinds)
    finally:
        _give_back()


def is_received(bot_id: ULID) -> bool:
    """Tell whether TGM receives the bot's updates."""
    try:
        return receiving.of_bot(bot_id) is not None
    finally:
        _give_back()


def _give_back() -> None:
    # A program may wait for its turn from here on: the connection is needed by others meanwhile.
    db.session.rollback()


def _receive(team_id: ULID, bot_id: ULID, actor: Actor, kinds: Collection[str]) -> None:
    reception = receiving.of_bot(bot_id)
    if reception is None:
        reception = receiving.switch_on(team_id, bot_id, actor=actor)
    elif not set(kinds) <= set(reception.allowed_updates):
        wanted = set(kinds) | set(reception.allowed_updates)
        reception = receiving.switch_on(
            team_id,
            bot_id,
            kinds=[kind for kind in UPDATE_KINDS if kind in wanted],
            max_connections=reception.max_connections,
            actor=actor,
        )
    if reception.acknowledge is not Acknowledge.AT_ONCE or reception.is_acknowledge_chosen:
        return
    with changing() as session:
        session.get_one(Reception, bot_id).acknowledge = Acknowledge.AFTER_DELIVERY


def endpoint_of(bot_id: ULID, consumer_id: ULID) -> Endpoint | None:
    """Return the endpoint that a program has made, None for none."""
    query = select(Endpoint).where(Endpoint.bot_id == bot_id, Endpoint.consumer_id == consumer_id)
    return db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def put(
    team_id: ULID,
    bot_id: ULID,
    consumer_id: ULID,
    wanted: Webhook,
    *,
    waiting_since: tuple[int, datetime] | None,
    actor: Actor,
) -> None:
    """Make or change a program's endpoint.

    A new one gets what came after `waiting_since`, a number of an update and a time; with None what
    waits is dropped, of an old one too. Raises Invalid for a URL that is not taken.
    """
    url, _ = address(wanted.url)
    with writing() as session:
        endpoint = _find(session, bot_id, consumer_id)
        is_new = endpoint is None
        if endpoint is None:
            endpoint = _made(bot_id, consumer_id, url)
            session.add(endpoint)
        endpoint.url, endpoint.name = url, host(url)[:64]
        endpoint.kinds = list(wanted.kinds)
        endpoint.max_connections = wanted.max_connections
        endpoint.takes_answers = wanted.takes_answers
        endpoint.sealed_secret_token = _sealed(endpoint, wanted.secret_token)
        endpoint.paused_because = endpoint.paused_at = None
        endpoint.failing_since = endpoint.last_error = None
        session.flush()
        if waiting_since is None:
            _drop(session, endpoint)
        elif is_new:
            _fill(session, endpoint, *waiting_since)
        action = "endpoint.added" if is_new else "endpoint.changed"
        record(
            session,
            actor,
            action,
            team_id=team_id,
            subject_id=endpoint.id,
            subject_name=endpoint.name,
            bot=str(bot_id),
            host=host(url),
            kinds=endpoint.kinds,
        )
    runtime.relay.wake()


def first_waiting(endpoint: Endpoint) -> int | None:
    """Return the number of the first update that has not reached the endpoint, None for none."""
    return db.session.scalar(select(func.min(Delivery.update_seq)).where(*_open(endpoint)))


def count_waiting(endpoint: Endpoint) -> int:
    """Count what has not reached the endpoint."""
    return db.session.scalar(select(func.count(Delivery.seq)).where(*_open(endpoint))) or 0


def _open(endpoint: Endpoint) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Delivery.endpoint_id == endpoint.id, Delivery.state.in_(OPEN)


def _find(session: Session, bot_id: ULID, consumer_id: ULID) -> Endpoint | None:
    query = select(Endpoint).where(Endpoint.bot_id == bot_id, Endpoint.consumer_id == consumer_id)
    return session.scalars(query).one_or_none()


def _made(bot_id: ULID, consumer_id: ULID, url: str) -> Endpoint:
    endpoint = Endpoint(
        id=new_id(), bot_id=bot_id, consumer_id=consumer_id, url=url, created_at=utcnow()
    )
    secret = new_secret()
    endpoint.sealed_secret = runtime.vault.seal(secret.value, place=endpoint.secret_place())
    return endpoint


def _sealed(endpoint: Endpoint, token: Secret | None) -> str | None:
    if token is None:
        return None
    return runtime.vault.seal(token.value, place=endpoint.secret_place("sealed_secret_token"))


def _drop(session: Session, endpoint: Endpoint) -> None:
    # What a worker is sending at this moment stays its own.
    session.execute(
        delete(Delivery)
        .where(Delivery.endpoint_id == endpoint.id, Delivery.state == State.DUE)
        .execution_options(synchronize_session=False)
    )


def _fill(session: Session, endpoint: Endpoint, after_seq: int, since: datetime) -> None:
    """Deliver what the program has not asked for yet, as Telegram does after a poll."""
    waiting = session.scalars(
        select(StoredUpdate)
        .where(
            StoredUpdate.bot_id == endpoint.bot_id,
            StoredUpdate.seq > after_seq,
            StoredUpdate.received_at > since,
            StoredUpdate.is_test.is_(False),
            StoredUpdate.kind.in_(endpoint.kinds or ()),
        )
        .order_by(StoredUpdate.seq)
    )
    now = utcnow()
    rows = [
        {
            "id": new_id(),
            "endpoint_id": endpoint.id,
            "bot_id": endpoint.bot_id,
            "update_seq": one.seq,
            "queue": one.queue,
            "kind": one.kind,
            "state": State.DUE,
            "attempts_made": 0,
            "next_at": now,
            "created_at": now,
        }
        for one in waiting
    ]
    if rows:
        session.execute(insert(Delivery), rows)
