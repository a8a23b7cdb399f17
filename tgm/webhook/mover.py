"""The steps of a bot's move from one Bot API server to another.

Each may be done again where it broke off: by the command line, by the background, after a restart.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots import service as bots
from tgm.bots.change import changing
from tgm.bots.models import Bot
from tgm.bots.moves import Move, Problem, Step, way_out
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.security.vault import SealBroken
from tgm.shared.clock import utcnow
from tgm.shared.errors import TgmError
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import Failure, TelegramRefused, TelegramUnreachable
from tgm.telegram.token import BotToken
from tgm.webhook import facts, registration
from tgm.webhook.inbox import NotStored
from tgm.webhook.models import Reception
from tgm.webhook.registration import Wanted

log = logging.getLogger(__name__)

AGAIN = timedelta(minutes=1)
# Longer than all the waiting of one round for the two servers.
_LEASE = timedelta(minutes=6)
_PATIENCE_SECONDS = 20
# What answers so has logged the bot out already: Telegram says 400 Logged out.
_OUT = frozenset({400, 401})
# Telegram names no time with it; it is ten minutes after the bot has logged out.
_LOGGED_OUT_SECONDS = 60
# A poll of this very process may still be under way.
_OTHER_POLL_SECONDS = 2
_TGM = Actor("TGM")


def go_on(now: datetime) -> int:
    """Go on with every move that may; return how many there were."""
    # A read first: nearly always there is none.
    db.session.rollback()
    due = db.session.scalars(select(Move.bot_id).where(Move.next_at <= now, _is_free(now))).all()
    for bot_id in due:
        advance(bot_id, now)
    return len(due)


def advance(bot_id: ULID, now: datetime) -> None:
    """Take a move as far as it goes now. Whatever stops it is noted, not raised.

    Does nothing where it has still to wait, or another process is at it.
    """
    if not claim(bot_id, now, Move.next_at <= now):
        return
    try:
        _steps(bot_id)
    except TelegramRefused as refused:
        if refused.retry_after is not None or refused.code == 429:
            pause = timedelta(seconds=max(1, refused.retry_after or 1))
            _note(bot_id, Problem.WAIT, refused.description, pause)
        else:
            _note(bot_id, Problem.REFUSED, refused.description)
    except TelegramUnreachable as unreachable:
        _note(bot_id, Problem.UNREACHABLE, unreachable.description)
    except (TgmError, NotStored, SealBroken) as error:
        log.warning("moving bot %s: %s", bot_id, error)
        _note(bot_id, Problem.FAILED, str(error))
    except BaseException:
        _note(bot_id, Problem.FAILED, "")
        raise


def claim(bot_id: ULID, now: datetime, *conditions: ColumnElement[bool]) -> bool:
    """Take a move on. Return False where there is none, or another process is at it."""
    with writing() as session:
        won = session.execute(
            update(Move)
            .where(Move.bot_id == bot_id, _is_free(now), *conditions)
            .values(leased_until=now + _LEASE)
            .execution_options(synchronize_session=False)
        )
        return bool(won.rowcount)  # type: ignore[attr-defined]


def release(bot_id: ULID) -> None:
    """Let whoever comes first go on with a move."""
    with writing() as session:
        session.execute(
            update(Move)
            .where(Move.bot_id == bot_id)
            .values(leased_until=None)
            .execution_options(synchronize_session=False)
        )


def switch(bot_id: ULID, now: datetime) -> None:
    """Send every call to the new server from now on."""
    with changing() as session:
        move = session.get_one(Move, bot_id)
        session.get_one(Bot, bot_id).api_base_url = move.new_url
        move.step, move.next_at = Step.JOINING, now
        move.problem = move.problem_text = None
        reception = session.get(Reception, bot_id)
        if reception is not None:
            # Each server counts updates in its own way.
            reception.offset = reception.lease_owner = reception.leased_until = None


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(Move.leased_until.is_(None), Move.leased_until <= now)


def _steps(bot_id: ULID) -> None:
    db.session.rollback()
    move = db.session.get_one(Move, bot_id, populate_existing=True)
    bot = db.session.get_one(Bot, bot_id, populate_existing=True)
    reception = db.session.get(Reception, bot_id, populate_existing=True)
    telegram = runtime.telegram.within(_PATIENCE_SECONDS)
    try:
        if move.step is Step.LEAVING:
            _leave(telegram, move, bots.token_of(bot), reception)
            switch(bot_id, utcnow())
            db.session.rollback()
        _join(telegram, bot, reception)
    finally:
        telegram.close()
    _end(bot_id)


def _leave(
    telegram: TelegramClient, move: Move, token: BotToken, reception: Reception | None
) -> None:
    try:
        # Only then will the server hand out what it holds, and not begin anew by itself.
        telegram.call(token, "deleteWebhook", drop_pending_updates=False)
        if reception is not None:
            _fetch(telegram, token, reception)
        telegram.call(token, way_out(move.old_url, move.new_url))
    except TelegramRefused as refused:
        if refused.code not in _OUT:
            raise


def _fetch(telegram: TelegramClient, token: BotToken, reception: Reception) -> None:
    """Store what the old server still holds: it is lost there once the bot has left."""
    offset, poll = reception.offset, telegram.long_poll()
    try:
        while True:
            raws = poll.ask(
                token, offset=offset, seconds=0, allowed_updates=reception.allowed_updates
            )
            items = [(raw, facts.read(raw)) for raw in raws]
            if not items:
                return
            runtime.relay.inbox.put_many(str(reception.bot_id), items, utcnow())
            offset = items[-1][1].update_id + 1
    except facts.BadUpdate:
        raise TelegramUnreachable(Failure.PROTOCOL) from None
    except TelegramRefused as refused:
        if refused.code == 409:
            refused.retry_after = _OTHER_POLL_SECONDS
        raise
    finally:
        poll.close()


def _join(telegram: TelegramClient, bot: Bot, reception: Reception | None) -> None:
    """Log in at the new server, as any call does, and receive there in the same way."""
    token = bots.token_of(bot)
    try:
        found = telegram.call(token, "getMe")
    except TelegramRefused as refused:
        if refused.code == 400 and refused.retry_after is None:
            refused.retry_after = _LOGGED_OUT_SECONDS
        raise
    if not isinstance(found, dict) or found.get("id") != token.telegram_id:
        raise TelegramUnreachable(Failure.PROTOCOL)
    if reception is not None:
        wanted = Wanted(reception.allowed_updates, reception.max_connections)
        registration.register(bot, reception.mode, wanted)


def _end(bot_id: ULID) -> None:
    with changing() as session:
        move, bot = session.get_one(Move, bot_id), session.get_one(Bot, bot_id)
        record(
            session,
            _TGM,
            "bot.moved",
            team_id=bot.team_id,
            subject_id=bot_id,
            subject_name=bot.name,
            server=move.new_url or runtime.settings.telegram_api_base_url,
        )
        session.delete(move)
    runtime.relay.wake_pollers()


def _note(bot_id: ULID, problem: Problem, text: str, pause: timedelta = AGAIN) -> None:
    with writing() as session:
        session.execute(
            update(Move)
            .where(Move.bot_id == bot_id)
            .values(
                problem=problem.value,
                problem_text=text[:1000],
                next_at=utcnow() + pause,
                leased_until=None,
            )
            .execution_options(synchronize_session=False)
        )
