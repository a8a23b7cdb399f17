"""What can be done with bots."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots import names, profile
from tgm.bots.change import changing
from tgm.bots.models import Bot, BotPhoto, token_place
from tgm.bots.tokens import opened
from tgm.extensions import db, runtime
from tgm.security.vault import Vault
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, Invalid, NotFound
from tgm.shared.ids import new_id, parse_id
from tgm.telegram.token import BotToken


def of_team(team_id: ULID) -> Sequence[Bot]:
    """Return a team's bots, by name."""
    query = select(Bot).where(Bot.team_id == team_id)
    return db.session.scalars(query.order_by(func.lower(Bot.name), Bot.id)).all()


def get(team_id: ULID, bot_id: ULID) -> Bot:
    """Return a bot of the team. Raises NotFound, for another team's bot as for none at all."""
    return _find(db.session(), team_id, bot_id)


def _find(session: Session, team_id: ULID, bot_id: ULID) -> Bot:
    query = select(Bot).where(Bot.id == bot_id, Bot.team_id == team_id)
    bot = session.scalars(query).one_or_none()
    if bot is None:
        raise NotFound(N_("There is no such bot."))
    return bot


def anywhere(text: str) -> Bot:
    """Return the bot with this id or @username, of whichever team: for the command line only.

    Raises NotFound.
    """
    bot_id = parse_id(text)
    which = Bot.id == bot_id if bot_id else func.lower(Bot.username) == text.lower()[1:]
    query = select(Bot).where(which)
    bot = db.session.scalars(query).first() if bot_id or text.startswith("@") else None
    if bot is None:
        raise NotFound(N_("There is no such bot."))
    return bot


def token_of(bot: Bot) -> BotToken:
    """Open the bot's token. Raises SealBroken."""
    return opened(runtime.vault, bot)


def add(team_id: ULID, token_text: str, name: str | None, actor: Actor) -> Bot:
    """Take a bot in, after asking Telegram whose token it is.

    Without a `name` it gets the one it has at Telegram. Raises Invalid for what is no token or an
    unknown one, Conflict for a bot that some team has already, and TelegramRefused or
    TelegramUnreachable; each names its form field.
    """
    token = profile.parse_token(token_text)
    own_name = names.checked(name) if name and name.strip() else None
    found = profile.ask(token)
    bot_id = new_id()
    bot = Bot(
        id=bot_id,
        team_id=team_id,
        telegram_id=found.telegram_id,
        username=found.username,
        name=own_name or found.name,
        sealed_token=runtime.vault.seal(token.value, place=token_place(str(bot_id))),
        created_at=utcnow(),
    )
    try:
        with changing() as session:
            session.add(bot)
            # Whether the bot is here already is asked only now, with a token that Telegram knows:
            # a guess must not find out which bots an installation has.
            session.flush()
            # Its photo is fetched in the background, soon.
            session.add(BotPhoto(bot_id=bot_id, next_at=bot.created_at))
            _record(session, actor, "bot.added", bot, username=bot.username)
    except IntegrityError:
        raise Conflict(N_("This bot has already been added to this TGM."), field="token") from None
    return bot


def rename(team_id: ULID, bot_id: ULID, name: str, actor: Actor) -> Bot:
    """Give the bot another name in TGM; Telegram keeps its own. Raises Invalid, NotFound."""
    name = names.checked(name)
    with changing() as session:
        bot = _find(session, team_id, bot_id)
        _record(session, actor, "bot.renamed", bot, new_name=name)
        bot.name = name
    return bot


def disable(team_id: ULID, bot_id: ULID, actor: Actor) -> Bot:
    """Refuse every call for the bot from now on. Raises NotFound."""
    with changing() as session:
        bot = _find(session, team_id, bot_id)
        if not bot.is_disabled:
            bot.disabled_at = utcnow()
            _record(session, actor, "bot.disabled", bot)
    return bot


def enable(team_id: ULID, bot_id: ULID, actor: Actor) -> Bot:
    """Let calls for the bot pass again. Raises NotFound."""
    with changing() as session:
        bot = _find(session, team_id, bot_id)
        if bot.is_disabled:
            bot.disabled_at = None
            _record(session, actor, "bot.enabled", bot)
    return bot


def keep_pace(team_id: ULID, bot_id: ULID, keeps: bool, actor: Actor) -> Bot:
    """Choose whether the bot's calls keep to Telegram's published pace. Raises NotFound."""
    with changing() as session:
        bot = _find(session, team_id, bot_id)
        if bot.keeps_pace != keeps:
            bot.keeps_pace = keeps
            _record(session, actor, "bot.pace", bot, keeps_pace=keeps)
    return bot


def replace_token(team_id: ULID, bot_id: ULID, token_text: str, actor: Actor) -> Bot:
    """Use another token of the same bot. Raises as `add` does, Invalid for another bot's token."""
    token, bot = profile.parse_token(token_text), get(team_id, bot_id)
    if token.telegram_id != bot.telegram_id:
        raise Invalid(N_("This is the token of another bot."), field="token")
    found = profile.ask(replace(token, server=bot.api_base_url))
    with changing() as session:
        bot = _find(session, team_id, bot_id)
        bot.sealed_token = runtime.vault.seal(token.value, place=bot.token_place)
        bot.username = found.username
        photo = update(BotPhoto).where(BotPhoto.bot_id == bot_id)
        session.execute(photo.values(next_at=utcnow()))
        _record(session, actor, "bot.token_replaced", bot)
    return bot


def delete(team_id: ULID, bot_id: ULID, typed_name: str, actor: Actor) -> None:
    """Forget the bot, token and all. `typed_name` must be its name. Raises Invalid, NotFound.

    A key that was limited to this bot stays, and may use no bot any more.
    """
    with changing() as session:
        bot = _find(session, team_id, bot_id)
        check_typed(bot, typed_name)
        _record(session, actor, "bot.deleted", bot, username=bot.username)
        session.delete(bot)


def check_typed(bot: Bot, typed_name: str) -> None:
    """Raise Invalid unless `typed_name` is the bot's name."""
    if typed_name.strip() != bot.name:
        raise Invalid(N_("This is not the bot's name."), field="name")


def reseal(session: Session, vault: Vault) -> int:
    """Seal every token under the newest encryption key, and return how many. Raises SealBroken."""
    bots = session.scalars(select(Bot)).all()
    for bot in bots:
        bot.sealed_token = vault.reseal(bot.sealed_token, place=bot.token_place)
    return len(bots)


def _record(session: Session, actor: Actor, action: str, bot: Bot, **details: object) -> None:
    record(
        session,
        actor,
        action,
        team_id=bot.team_id,
        subject_id=bot.id,
        subject_name=bot.name,
        **details,
    )
