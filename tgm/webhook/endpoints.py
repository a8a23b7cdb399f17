"""Endpoints: where a bot's updates go, each with its filter, its secret and its queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots import names
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.security.secret import Secret
from tgm.security.signing import new_secret
from tgm.security.vault import Vault
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, NotFound, TgmError
from tgm.shared.ids import new_id
from tgm.webhook import receiving
from tgm.webhook.checking import address, chosen_kinds, host
from tgm.webhook.models import OPEN, Delivery, Endpoint, State

OLD_SECRET_SIGNS = timedelta(hours=24)
BY_PERSON = "person"
# So many deliveries go in one transaction when an endpoint is removed: others write in between.
_STEP = 500


@dataclass(frozen=True)
class Added:
    """A new endpoint and its secret, which is not shown again.

    `warning` is a sentence about what may be wrong with its URL, None where nothing is.
    """

    endpoint: Endpoint
    secret: Secret
    warning: str | None


def of_bot(bot_id: ULID) -> Sequence[Endpoint]:
    """Return a bot's endpoints, by name."""
    query = select(Endpoint).where(Endpoint.bot_id == bot_id)
    return db.session.scalars(query.order_by(func.lower(Endpoint.name), Endpoint.id)).all()


def of_team(team_id: ULID) -> Sequence[Endpoint]:
    """Return the endpoints of all of a team's bots, by bot and name."""
    query = select(Endpoint).join(Bot, Bot.id == Endpoint.bot_id).where(Bot.team_id == team_id)
    order = (func.lower(Bot.name), Bot.id, func.lower(Endpoint.name), Endpoint.id)
    return db.session.scalars(query.order_by(*order)).all()


def get(team_id: ULID, endpoint_id: ULID) -> Endpoint:
    """Return an endpoint of the team. Raises NotFound, for another team's as for none at all."""
    return find(db.session(), team_id, endpoint_id)


def find(session: Session, team_id: ULID, endpoint_id: ULID) -> Endpoint:
    """Return an endpoint of the team, in this session. Raises NotFound."""
    query = select(Endpoint).join(Bot, Bot.id == Endpoint.bot_id)
    query = query.where(Endpoint.id == endpoint_id, Bot.team_id == team_id)
    endpoint = session.scalars(query).one_or_none()
    if endpoint is None:
        raise NotFound(N_("There is no such endpoint."))
    return endpoint


def team_of(endpoint_id: ULID) -> ULID:
    """Return the team that has the endpoint: for the command line only. Raises NotFound."""
    query = select(Bot.team_id).join(Endpoint, Endpoint.bot_id == Bot.id)
    team_id = db.session.scalar(query.where(Endpoint.id == endpoint_id))
    if team_id is None:
        raise NotFound(N_("There is no such endpoint."))
    return team_id


def add(
    team_id: ULID,
    bot_id: ULID,
    url: str,
    *,
    name: str | None = None,
    kinds: Sequence[str] | None = None,
    actor: Actor,
) -> Added:
    """Add an endpoint, named after its host unless `name` is given. It is sent nothing yet.

    `kinds` is None for every kind. The bot's first endpoint switches receiving on, and goes again
    when Telegram refuses that. Raises Invalid (UrlRefused too) and NotFound, and what `switch_on`
    raises.
    """
    bot = bots.get(team_id, bot_id)
    url, warning = address(url)
    name = names.checked(name if name and name.strip() else host(url)[: names.LONGEST])
    chosen = chosen_kinds(kinds)
    secret = new_secret()
    endpoint = Endpoint(
        id=new_id(), bot_id=bot.id, name=name, url=url, kinds=chosen, created_at=utcnow()
    )
    endpoint.sealed_secret = runtime.vault.seal(secret.value, place=endpoint.secret_place())
    with writing() as session:
        # Gone meanwhile, or still there: the row's foreign key would only say that it failed.
        _team_has(session, team_id, bot_id)
        others = select(Endpoint.id).where(Endpoint.bot_id == bot_id).limit(1)
        is_first = session.scalar(others) is None
        session.add(endpoint)
        _record(session, actor, "endpoint.added", team_id, endpoint, host=host(url), kinds=chosen)
    if is_first and receiving.of_bot(bot_id) is None:
        # Only now: what comes in before the endpoint is there would be delivered to nobody.
        try:
            receiving.switch_on(team_id, bot_id, actor=actor)
        except TgmError:
            remove(team_id, endpoint.id, actor)
            raise
    return Added(endpoint, secret, warning)


def change(
    team_id: ULID,
    endpoint_id: ULID,
    *,
    url: str,
    name: str,
    kinds: Sequence[str] | None,
    takes_answers: bool,
    actor: Actor,
) -> str | None:
    """Change all that a person may; return a warning about a new URL, as `add` does.

    What waits goes to the new URL. Raises Invalid, NotFound.
    """
    name, chosen = names.checked(name), chosen_kinds(kinds)
    warning = None
    if url.strip() != get(team_id, endpoint_id).url:
        url, warning = address(url)
    url = url.strip()
    with writing() as session:
        endpoint = find(session, team_id, endpoint_id)
        check_changeable(endpoint)
        if url != endpoint.url:
            # The three days of failing were another receiver's.
            endpoint.failing_since = endpoint.last_error = None
        endpoint.url, endpoint.name, endpoint.kinds = url, name, chosen
        endpoint.takes_answers = takes_answers
        facts = {"host": host(url), "kinds": chosen, "takes_answers": takes_answers}
        _record(session, actor, "endpoint.changed", team_id, endpoint, **facts)
    return warning


def check_changeable(endpoint: Endpoint) -> None:
    """Raise Conflict for an endpoint that a program has made: it sets it anew as it likes.

    Its address may hold a token, which no page may show.
    """
    if endpoint.consumer_id is not None:
        raise Conflict(N_("A program made this endpoint by setWebhook, and changes it that way."))


def pause(team_id: ULID, endpoint_id: ULID, actor: Actor) -> Endpoint:
    """Hold the endpoint's deliveries; updates are still kept for it. Raises NotFound."""
    with writing() as session:
        endpoint = find(session, team_id, endpoint_id)
        if not endpoint.is_paused:
            endpoint.paused_because, endpoint.paused_at = BY_PERSON, utcnow()
            _record(session, actor, "endpoint.paused", team_id, endpoint)
    return endpoint


def resume(team_id: ULID, endpoint_id: ULID, actor: Actor) -> Endpoint:
    """Deliver again. What waited is due at once, and drains at a set pace. Raises NotFound."""
    now = utcnow()
    with writing() as session:
        endpoint = find(session, team_id, endpoint_id)
        if endpoint.is_paused:
            waiting = (Delivery.endpoint_id == endpoint_id, Delivery.state.in_(OPEN))
            endpoint.drain_until_seq = session.scalar(
                select(func.max(Delivery.seq)).where(*waiting)
            )
            endpoint.paused_because = endpoint.paused_at = endpoint.failing_since = None
            # Whoever resumes has mended something: the next try must not wait for half a day.
            session.execute(
                update(Delivery)
                .where(*waiting, Delivery.state == State.DUE, Delivery.next_at > now)
                .values(next_at=now)
                .execution_options(synchronize_session=False)
            )
            _record(session, actor, "endpoint.resumed", team_id, endpoint)
    runtime.relay.wake()
    return endpoint


def remove(team_id: ULID, endpoint_id: ULID, actor: Actor) -> None:
    """Delete the endpoint with its deliveries and attempts, waiting ones too. Raises NotFound.

    The updates stay. Receiving stays on.
    """
    with writing() as session:
        endpoint = find(session, team_id, endpoint_id)
        # Nothing is delivered from here on, however long the rows take to go.
        endpoint.paused_because, endpoint.paused_at = BY_PERSON, utcnow()
    some = select(Delivery.seq).where(Delivery.endpoint_id == endpoint_id).limit(_STEP)
    gone = _STEP
    while gone == _STEP:
        with writing() as session:
            seqs = session.scalars(some).all()
            session.execute(delete(Delivery).where(Delivery.seq.in_(seqs)))
            gone = len(seqs)
    with writing() as session:
        endpoint = find(session, team_id, endpoint_id)
        _record(session, actor, "endpoint.removed", team_id, endpoint, host=host(endpoint.url))
        session.execute(delete(Endpoint).where(Endpoint.id == endpoint_id))


def rotate_secret(team_id: ULID, endpoint_id: ULID, actor: Actor) -> Secret:
    """Give the endpoint a new secret and return it; the old one signs on beside it for 24 hours.

    Raises NotFound, SealBroken.
    """
    vault, secret = runtime.vault, new_secret()
    with writing() as session:
        endpoint = find(session, team_id, endpoint_id)
        old = vault.open(endpoint.sealed_secret, place=endpoint.secret_place())
        endpoint.sealed_old_secret = vault.seal(
            old, place=endpoint.secret_place("sealed_old_secret")
        )
        endpoint.old_secret_until = utcnow() + OLD_SECRET_SIGNS
        endpoint.sealed_secret = vault.seal(secret.value, place=endpoint.secret_place())
        _record(session, actor, "endpoint.secret_rotated", team_id, endpoint)
    return secret


def reseal(session: Session, vault: Vault) -> int:
    """Seal every secret under the newest encryption key; return how many. Raises SealBroken."""
    count = 0
    for endpoint in session.scalars(select(Endpoint)):
        for column in ("sealed_secret", "sealed_old_secret", "sealed_secret_token"):
            sealed = getattr(endpoint, column)
            if sealed is not None:
                place = endpoint.secret_place(column)
                setattr(endpoint, column, vault.reseal(sealed, place=place))
                count += 1
    return count


def _team_has(session: Session, team_id: ULID, bot_id: ULID) -> None:
    query = select(Bot.id).where(Bot.id == bot_id, Bot.team_id == team_id)
    if session.scalar(query) is None:
        raise NotFound(N_("There is no such bot."))


def _record(
    session: Session,
    actor: Actor,
    action: str,
    team_id: ULID,
    endpoint: Endpoint,
    **details: object,
) -> None:
    details["bot"] = str(endpoint.bot_id)
    record(
        session,
        actor,
        action,
        team_id=team_id,
        subject_id=endpoint.id,
        subject_name=endpoint.name,
        **details,
    )
