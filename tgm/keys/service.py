"""What can be done with API keys."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots.change import changing
from tgm.bots.models import Bot
from tgm.extensions import db
from tgm.keys.models import ApiKey, ApiKeyBot, KeyState
from tgm.keys.rights import Rights, checked, end_of_overlap
from tgm.security.credentials import mint_api_key
from tgm.security.secret import Secret
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, NotFound
from tgm.shared.ids import new_id


def of_team(team_id: ULID) -> Sequence[ApiKey]:
    """Return a team's keys, the newest first, those that no longer work included."""
    query = select(ApiKey).where(ApiKey.team_id == team_id)
    return db.session.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id.desc())).all()


def get(team_id: ULID, key_id: ULID) -> ApiKey:
    """Return a key of the team. Raises NotFound, for another team's key as for none at all."""
    return _find(db.session(), team_id, key_id)


def anywhere(key_id: ULID) -> ApiKey:
    """Return a key of whichever team: for the command line only. Raises NotFound."""
    key = db.session.get(ApiKey, key_id)
    if key is None:
        raise NotFound(N_("There is no such API key."))
    return key


def chosen_bots(team_id: ULID) -> Mapping[ULID, Sequence[Bot]]:
    """Return the bots, by name, of those of the team's keys that may not use all."""
    query = (
        select(ApiKeyBot.key_id, Bot)
        .join(Bot, Bot.id == ApiKeyBot.bot_id)
        .join(ApiKey, ApiKey.id == ApiKeyBot.key_id)
        .where(ApiKey.team_id == team_id)
        .order_by(func.lower(Bot.name), Bot.id)
    )
    found: dict[ULID, list[Bot]] = {}
    for key_id, bot in db.session.execute(query):
        found.setdefault(key_id, []).append(bot)
    return found


def make(team_id: ULID, rights: Rights, actor: Actor) -> tuple[ApiKey, Secret]:
    """Make a key; its secret is returned here and nowhere else, ever.

    Raises Invalid, and NotFound for a bot that is not the team's.
    """
    rights = checked(rights, utcnow())
    key, secret = _mint(team_id)
    _apply(key, rights)
    with changing() as session:
        session.add(key)
        session.flush()
        _choose_bots(session, key, rights.bot_ids)
        _record(session, actor, "key.made", key, **_facts(rights))
    return key, secret


def change(team_id: ULID, key_id: ULID, rights: Rights, actor: Actor) -> ApiKey:
    """Give a key another name and other rights. An expired key works again with a later expiry.

    Raises Invalid, Conflict for a revoked key, NotFound.
    """
    with changing() as session:
        key = _not_revoked(session, team_id, key_id)
        rights = checked(rights, utcnow(), kept_expiry=key.expires_at)
        _record(session, actor, "key.changed", key, new_name=rights.name, **_facts(rights))
        _apply(key, rights)
        session.execute(delete(ApiKeyBot).where(ApiKeyBot.key_id == key.id))
        _choose_bots(session, key, rights.bot_ids)
    return key


def rotate(team_id: ULID, key_id: ULID, overlap_hours: int, actor: Actor) -> tuple[ApiKey, Secret]:
    """Make a successor with the same name, rights and expiry.

    The old key works for `overlap_hours` more, 0 for not at all, but never longer than it would
    have. Raises Invalid, Conflict for a key that does not work any more, NotFound.
    """
    now = utcnow()
    with changing() as session:
        old = _not_revoked(session, team_id, key_id)
        if old.state(now) is KeyState.EXPIRED:
            raise Conflict(N_("This API key has expired. Make a new one."))
        rights = _rights_of(session, old)
        key, secret = _mint(team_id)
        _apply(key, rights)
        key.rotated_from = old.id
        key.consumer_id = old.consumer_id or old.id
        old.expires_at = end_of_overlap(old.expires_at, overlap_hours, now)
        session.add(key)
        session.flush()
        _choose_bots(session, key, rights.bot_ids)
        until = old.expires_at.isoformat()
        _record(session, actor, "key.rotated", old, successor=str(key.id), works_until=until)
        _record(session, actor, "key.made", key, rotated_from=str(old.id), **_facts(rights))
    return key, secret


def revoke(team_id: ULID, key_id: ULID, actor: Actor) -> ApiKey:
    """Refuse the key from now on, for ever. Raises NotFound."""
    with changing() as session:
        key = _find(session, team_id, key_id)
        if key.revoked_at is None:
            key.revoked_at = utcnow()
            _record(session, actor, "key.revoked", key)
    return key


def _find(session: Session, team_id: ULID, key_id: ULID) -> ApiKey:
    query = select(ApiKey).where(ApiKey.id == key_id, ApiKey.team_id == team_id)
    key = session.scalars(query).one_or_none()
    if key is None:
        raise NotFound(N_("There is no such API key."))
    return key


def _not_revoked(session: Session, team_id: ULID, key_id: ULID) -> ApiKey:
    key = _find(session, team_id, key_id)
    if key.revoked_at is not None:
        raise Conflict(N_("This API key is revoked. Make a new one."))
    return key


def _mint(team_id: ULID) -> tuple[ApiKey, Secret]:
    minted = mint_api_key()
    key = ApiKey(
        id=new_id(),
        team_id=team_id,
        digest=minted.digest,
        last_four=minted.last_four,
        created_at=utcnow(),
    )
    return key, minted.secret


def _apply(key: ApiKey, rights: Rights) -> None:
    key.name = rights.name
    key.all_bots = rights.bot_ids is None
    key.methods = rights.methods
    key.per_minute = rights.per_minute
    key.expires_at = rights.expires_at


def _choose_bots(session: Session, key: ApiKey, bot_ids: frozenset[ULID] | None) -> None:
    if bot_ids is None:
        return
    query = select(Bot.id).where(Bot.team_id == key.team_id, Bot.id.in_(bot_ids))
    found = session.scalars(query).all()
    if len(found) != len(bot_ids):
        raise NotFound(N_("There is no such bot."))
    session.add_all(ApiKeyBot(key_id=key.id, bot_id=bot_id) for bot_id in found)


def _rights_of(session: Session, key: ApiKey) -> Rights:
    bot_ids = None
    if not key.all_bots:
        query = select(ApiKeyBot.bot_id).where(ApiKeyBot.key_id == key.id)
        bot_ids = frozenset(session.scalars(query))
    return Rights(key.name, bot_ids, key.methods, key.per_minute, key.expires_at)


def _facts(rights: Rights) -> dict[str, object]:
    return {
        "bots": "*" if rights.bot_ids is None else sorted(map(str, rights.bot_ids)),
        "methods": rights.methods,
        "per_minute": rights.per_minute,
        "expires_at": rights.expires_at.isoformat() if rights.expires_at else None,
    }


def _record(session: Session, actor: Actor, action: str, key: ApiKey, **details: object) -> None:
    record(
        session,
        actor,
        action,
        team_id=key.team_id,
        subject_id=key.id,
        subject_name=key.name,
        **details,
    )
