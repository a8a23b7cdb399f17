"""How a bot receives: switching it on and over, holding it, and handing the bot back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots import service as bots
from tgm.bots.change import changing
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Invalid, NotFound, TgmError
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.telegram.errors import TelegramRefused
from tgm.webhook import moving, registration
from tgm.webhook.checking import chosen_kinds
from tgm.webhook.models import OPEN, Acknowledge, Delivery, Endpoint, Mode, Reception
from tgm.webhook.registration import Wanted

CHECK_EVERY = timedelta(minutes=10)
_MOST_CONNECTIONS = 100
# An error that Telegram met longer ago has most likely passed.
_RECENT = timedelta(minutes=5)


def of_bot(bot_id: ULID) -> Reception | None:
    """Return how TGM receives the bot's updates, None while it does not."""
    return db.session.get(Reception, bot_id, populate_existing=True)


def switch_on(
    team_id: ULID,
    bot_id: ULID,
    *,
    kinds: Sequence[str] | None = None,
    max_connections: int = 40,
    actor: Actor,
) -> Reception:
    """Receive the bot's updates, or ask for other kinds of them; None means every kind.

    By webhook where TGM has a public address, else by polling; a bot that receives already keeps
    its way. Raises Invalid, NotFound, TelegramRefused, TelegramUnreachable.
    """
    if not 1 <= max_connections <= _MOST_CONNECTIONS:
        raise Invalid(N_("Telegram takes 1 to 100 connections."), field="max_connections")
    wanted = Wanted(chosen_kinds(kinds) or list(UPDATE_KINDS), max_connections)
    bot = bots.get(team_id, bot_id)
    current = of_bot(bot_id)
    has_address = runtime.settings.webhook_base_url is not None
    mode = Mode.WEBHOOK if has_address else Mode.POLLING
    if current is not None:
        mode = current.mode
    return _register(bot, mode, wanted, actor)


def use_webhook(team_id: ULID, bot_id: ULID, actor: Actor) -> Reception:
    """Receive by webhook instead of polling. Raises Conflict where TGM has no public address, else
    as `switch_on`."""
    return _again(team_id, bot_id, Mode.WEBHOOK, actor)


def use_polling(team_id: ULID, bot_id: ULID, actor: Actor) -> Reception:
    """Receive by polling instead of a webhook; what Telegram still holds is kept."""
    return _again(team_id, bot_id, Mode.POLLING, actor)


def take_back(team_id: ULID, bot_id: ULID, actor: Actor) -> Reception:
    """Receive again where another program has put its webhook in TGM's place."""
    return _again(team_id, bot_id, None, actor)


def renew(team_id: ULID, bot_id: ULID, actor: Actor) -> Reception | None:
    """Register anew after the bot's token was replaced. None where TGM does not receive."""
    bots.get(team_id, bot_id)
    return None if of_bot(bot_id) is None else _again(team_id, bot_id, None, actor)


def _again(team_id: ULID, bot_id: ULID, mode: Mode | None, actor: Actor) -> Reception:
    bot = bots.get(team_id, bot_id)
    reception = _required(db.session(), bot_id)
    wanted = Wanted(reception.allowed_updates, reception.max_connections)
    return _register(bot, mode or reception.mode, wanted, actor)


def _register(bot: Bot, mode: Mode, wanted: Wanted, actor: Actor) -> Reception:
    bot_id = bot.id
    moving.check_not_moving(bot_id)
    registration.register(bot, mode, wanted)
    with writing() as session:
        reception = _required(session, bot_id)
        _record(session, actor, "receiving.set", bot_id, mode=mode.value)
    return reception


def hand_back(team_id: ULID, bot_id: ULID, actor: Actor) -> None:
    """Stop receiving, and leave the bot free for another program; what was stored stays.

    Raises NotFound, and TelegramUnreachable, since the webhook would stay.
    """
    bot = bots.get(team_id, bot_id)
    reception = _required(db.session(), bot_id)
    if reception.mode is Mode.WEBHOOK:
        try:
            registration.unregister(bot, reception.path_digest)
        except TelegramRefused as refused:
            # A token that has been revoked must not keep the bot here for ever.
            if refused.code not in {401, 403, 404}:
                raise
    let_go(bot_id, actor)


def let_go(bot_id: ULID, actor: Actor) -> None:
    """Stop receiving without a word to Telegram."""
    with changing() as session:
        session.delete(_required(session, bot_id))
        session.get_one(Bot, bot_id).receiving = None
        _record(session, actor, "receiving.ended", bot_id)
    runtime.relay.wake_pollers()


def set_acknowledge(
    team_id: ULID, bot_id: ULID, acknowledge: Acknowledge, actor: Actor
) -> Reception:
    """Say when button presses are answered for the receiver."""
    bots.get(team_id, bot_id)
    with changing() as session:
        reception = _required(session, bot_id)
        reception.acknowledge = acknowledge
        reception.is_acknowledge_chosen = True
        _record(session, actor, "receiving.acknowledge", bot_id, when=acknowledge.value)
    return reception


def pause(team_id: ULID, bot_id: ULID, actor: Actor) -> Reception:
    """Hold all of the bot's deliveries; updates are received and stored all the same."""
    return _hold(team_id, bot_id, True, actor)


def resume(team_id: ULID, bot_id: ULID, actor: Actor) -> Reception:
    """Let the bot's deliveries go on."""
    reception = _hold(team_id, bot_id, False, actor)
    runtime.relay.wake()
    return reception


def _hold(team_id: ULID, bot_id: ULID, is_paused: bool, actor: Actor) -> Reception:
    bots.get(team_id, bot_id)
    with writing() as session:
        reception = _required(session, bot_id)
        if reception.is_paused != is_paused:
            reception.is_paused = is_paused
            if not is_paused:
                _drain(session, bot_id)
            action = "receiving.paused" if is_paused else "receiving.resumed"
            _record(session, actor, action, bot_id)
    return reception


def drain(team_id: ULID, bot_id: ULID) -> None:
    """Let what waited while the bot was disabled go at a set pace, as after a pause."""
    bots.get(team_id, bot_id)
    with writing() as session:
        _drain(session, bot_id)


def _drain(session: Session, bot_id: ULID) -> None:
    """Let what has waited go at a set pace, instead of flooding the receivers."""
    for endpoint in session.scalars(select(Endpoint).where(Endpoint.bot_id == bot_id)):
        waiting = (Delivery.endpoint_id == endpoint.id, Delivery.state.in_(OPEN))
        last = session.scalar(select(func.max(Delivery.seq)).where(*waiting))
        if last is not None:
            endpoint.drain_until_seq = max(last, endpoint.drain_until_seq or 0)


def check(team_id: ULID, bot_id: ULID) -> Reception | None:
    """Ask Telegram whether the bot's updates still come here, and note what it says.

    None while TGM does not receive. That Telegram cannot be asked is noted, not raised.
    """
    bot = bots.get(team_id, bot_id)
    reception = of_bot(bot_id)
    if reception is None:
        return None
    if moving.of_bot(bot_id) is not None:
        # Nothing comes in on the way, and that is as it should be.
        return reception
    mode, path_digest = reception.mode, reception.path_digest
    problem: tuple[str, str] | None
    try:
        problem = _problem(registration.info(bots.token_of(bot)), mode, path_digest, utcnow())
    except TgmError as error:
        problem = registration.problem_of(error), error.description
    word, text = problem or (None, None)
    same = (Reception.bot_id == bot_id, Reception.mode == mode)
    path = Reception.path_digest
    with writing() as session:
        session.execute(
            # Not where it was registered anew while Telegram was asked.
            update(Reception)
            .where(*same, path.is_(None) if path_digest is None else path == path_digest)
            .values(problem=word, problem_text=text and text[:1000], checked_at=utcnow())
        )
    return of_bot(bot_id)


def check_due(now: datetime) -> int:
    """Check the webhooks that have not been for ten minutes; return how many."""
    query = select(Bot.team_id, Bot.id).join(Reception, Reception.bot_id == Bot.id)
    late = or_(Reception.checked_at.is_(None), Reception.checked_at <= now - CHECK_EVERY)
    due = db.session.execute(query.where(Reception.mode == Mode.WEBHOOK, late)).all()
    for team_id, bot_id in due:
        check(team_id, bot_id)
    return len(due)


def _problem(
    found: dict[str, object], mode: Mode, path_digest: str | None, now: datetime
) -> tuple[str, str] | None:
    url = str(found.get("url", ""))
    if mode is Mode.POLLING:
        return ("taken_over", _whose(url)) if url else None
    if not registration.is_current(url, path_digest):
        return "taken_over", _whose(url)
    at = found.get("last_error_date")
    if isinstance(at, int) and now.timestamp() - at < _RECENT.total_seconds():
        return "unreachable", f"Telegram could not deliver: {found.get('last_error_message')}"
    return None


def _whose(url: str) -> str:
    # The host alone: the path of somebody else's webhook is their secret.
    host = urlsplit(url).hostname
    return f"The bot's webhook leads to {host}." if host else "The bot has no webhook any more."


def _required(session: Session, bot_id: ULID) -> Reception:
    reception = session.get(Reception, bot_id)
    if reception is None:
        raise NotFound(N_("TGM does not receive this bot's updates."))
    return reception


def _record(session: Session, actor: Actor, action: str, bot_id: ULID, **details: object) -> None:
    bot = session.get_one(Bot, bot_id)
    record(
        session,
        actor,
        action,
        team_id=bot.team_id,
        subject_id=bot.id,
        subject_name=bot.name,
        **details,
    )
