"""Moving a bot from one Bot API server to another: begun, gone on with and turned back here.

What happens in between is in `tgm.webhook.mover`.
"""

import contextlib
from dataclasses import replace

from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots import service as bots
from tgm.bots.change import changing
from tgm.bots.models import Bot
from tgm.bots.moves import Move, Problem, Step, checked_address, way_out
from tgm.extensions import db, runtime
from tgm.security.vault import SealBroken
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, TgmError
from tgm.webhook import mover

_PATIENCE_SECONDS = 5


def of_bot(bot_id: ULID) -> Move | None:
    """Return the bot's move, None while it is not being moved."""
    # What another process has done meanwhile must be seen.
    db.session.rollback()
    return db.session.get(Move, bot_id, populate_existing=True)


def server_of(url: str | None) -> str:
    """Return the address of a Bot API server in words."""
    return url or runtime.settings.telegram_api_base_url


def start(team_id: ULID, bot_id: ULID, address: str, actor: Actor) -> Move:
    """Begin to move the bot to the server at `address`, or go on with that move at once.

    Nobody is asked yet: see `mover.advance`. Raises Invalid, Conflict where the bot is there
    already or on its way elsewhere, NotFound.
    """
    bot, url = bots.get(team_id, bot_id), _kept(checked_address(address))
    under_way = of_bot(bot_id)
    if under_way is not None and under_way.new_url != url:
        raise Conflict(
            N_("The bot is on its way to %(server)s: let it arrive, or turn it back first."),
            field="url",
            server=server_of(under_way.new_url),
        )
    if under_way is None and bot.api_base_url == url:
        raise Conflict(N_("The bot is at this server already."), field="url")
    with changing() as session:
        move = session.get(Move, bot_id)
        if move is None:
            move = Move(
                bot_id=bot_id,
                step=Step.LEAVING,
                old_url=bot.api_base_url,
                new_url=url,
                started_at=utcnow(),
                next_at=utcnow(),
            )
            session.add(move)
            _record(session, actor, "bot.move_began", bot_id, server=server_of(url))
        move.next_at = utcnow()
    runtime.relay.wake_pollers()
    return move


def hurry(team_id: ULID, bot_id: ULID) -> None:
    """Let the move go on at once; does nothing where there is none. Raises NotFound."""
    bots.get(team_id, bot_id)
    with changing() as session:
        move = session.get(Move, bot_id)
        if move is not None:
            move.next_at = utcnow()


def turn_back(team_id: ULID, bot_id: ULID, actor: Actor) -> Move:
    """Let the bot go back to where it came from: it is taken in there next.

    Raises Conflict where it is not being moved, or a server is being asked at this moment.
    """
    move = _claimed(team_id, bot_id)
    if move.step is Step.JOINING:
        # Calls may have logged it in at the new server already. If not, nothing is lost.
        telegram = runtime.telegram.within(_PATIENCE_SECONDS)
        with contextlib.suppress(TgmError, SealBroken), contextlib.closing(telegram):
            token = replace(bots.token_of(bots.get(team_id, bot_id)), server=move.new_url)
            telegram.call(token, way_out(move.new_url, move.old_url))
    with changing() as session:
        move = session.get_one(Move, bot_id)
        move.old_url, move.new_url = move.new_url, move.old_url
        _record(session, actor, "bot.move_turned_back", bot_id, server=server_of(move.new_url))
    return _joining(bot_id)


def leave_behind(team_id: ULID, bot_id: ULID, actor: Actor) -> Move:
    """Go on without the old server, which does not answer any more.

    Raises Conflict where the bot has left it already, and as `turn_back`.
    """
    move = _claimed(team_id, bot_id)
    if move.step is Step.JOINING:
        mover.release(bot_id)
        raise Conflict(N_("The bot has left the old server already."))
    with changing() as session:
        _record(session, actor, "bot.move_left_behind", bot_id, server=server_of(move.old_url))
    return _joining(bot_id)


def check_not_moving(bot_id: ULID) -> None:
    """Raise Conflict while the bot is being moved: how it receives is set up at the end."""
    if of_bot(bot_id) is not None:
        raise Conflict(N_("The bot is being moved to another server. Try again when it is there."))


def situation(move: Move) -> str:
    """Say in English where the bot is and why it waits, for the command line."""
    old, new = server_of(move.old_url), server_of(move.new_url)
    if move.step is Step.LEAVING:
        said = f"The bot is still at {old}"
    else:
        said = f"The bot is not at {new} yet, where its calls go already"
    if move.problem_text:
        said += f": {move.problem_text}"
    if move.problem == Problem.WAIT:
        said += f" (it goes on at {move.next_at:%H:%M:%S} UTC)"
    return said


def _kept(url: str) -> str | None:
    return None if url == runtime.settings.telegram_api_base_url else url


def _claimed(team_id: ULID, bot_id: ULID) -> Move:
    bots.get(team_id, bot_id)
    if of_bot(bot_id) is None:
        raise Conflict(N_("The bot is not being moved."))
    if not mover.claim(bot_id, utcnow()):
        raise Conflict(N_("A server is being asked at this moment. Try again in a minute."))
    move = of_bot(bot_id)
    if move is None:
        raise Conflict(N_("The bot is not being moved."))
    return move


def _joining(bot_id: ULID) -> Move:
    mover.switch(bot_id, utcnow())
    mover.release(bot_id)
    move = of_bot(bot_id)
    assert move is not None, "it was there, and leased"  # noqa: S101
    return move


def _record(session: Session, actor: Actor, action: str, bot_id: ULID, **details: object) -> None:
    bot = session.get_one(Bot, bot_id)
    record(
        session,
        actor,
        action,
        team_id=bot.team_id,
        subject_id=bot_id,
        subject_name=bot.name,
        **details,
    )
