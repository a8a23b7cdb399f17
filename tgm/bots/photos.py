"""The bots' own photos: fetched in the background one bot at a time, kept, and shown.

Each bot has a row from the start on, which says when Telegram is asked next: nobody who adds a bot
waits for its photo.
"""

import logging
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta

from sqlalchemy import select, update
from ulid import ULID

from tgm.bots import picture, service
from tgm.bots.avatar import Avatar
from tgm.bots.models import Bot, BotPhoto
from tgm.bots.picture import Picture
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.security.vault import SealBroken
from tgm.shared.errors import N_, NotFound
from tgm.telegram.errors import TelegramRefused, TelegramUnreachable

EVERY = timedelta(days=1)
# After Telegram could not say; also for how long nobody else asks for the same bot.
AGAIN = timedelta(hours=1)
_SECONDS = 10

log = logging.getLogger(__name__)


def avatars(bots: Iterable[Bot]) -> dict[ULID, Avatar]:
    """Return what stands for each of the bots, by id."""
    by_id = {bot.id: bot.name for bot in bots}
    query = select(BotPhoto.bot_id, BotPhoto.file_unique_id).where(BotPhoto.bot_id.in_(by_id))
    photos = {row.bot_id: row.file_unique_id for row in db.session.execute(query)}
    return {bot_id: Avatar(bot_id, name, photos.get(bot_id)) for bot_id, name in by_id.items()}


def of_bot(team_id: ULID, bot_id: ULID) -> Picture:
    """Return a bot's photo. Raises NotFound, for another team's bot as for one without a photo."""
    query = select(BotPhoto).join(Bot, Bot.id == BotPhoto.bot_id)
    row = db.session.scalars(query.where(Bot.id == bot_id, Bot.team_id == team_id)).one_or_none()
    if row is None or not (row.file_unique_id and row.content_type and row.content):
        raise NotFound(N_("This bot has no photo here."))
    return Picture(row.file_unique_id, row.content_type, row.content)


def fetch_due(now: datetime) -> bool:
    """Ask Telegram for the photo of one bot whose turn it is; tell whether there was one."""
    query = select(BotPhoto.bot_id).where(BotPhoto.next_at <= now).order_by(BotPhoto.next_at)
    bot_id = db.session.scalars(query.limit(1)).first()
    if bot_id is None or not _claim(bot_id, now):
        return False
    try:
        _fetch(bot_id, now)
    except TelegramRefused as refused:
        # A token that is refused is for a person to replace, which makes it the bot's turn again.
        if refused.code in {401, 404}:
            _keep(bot_id, next_at=now + EVERY)
    except (TelegramUnreachable, SealBroken) as error:
        log.info("a bot's photo could not be fetched: %s (%s)", bot_id, type(error).__name__)
    return True


def _claim(bot_id: ULID, now: datetime) -> bool:
    """Return False where another process asks for the bot."""
    mine = update(BotPhoto).where(BotPhoto.bot_id == bot_id, BotPhoto.next_at <= now)
    with writing() as session:
        won = session.scalar(mine.values(next_at=now + AGAIN).returning(BotPhoto.bot_id))
    return won is not None


def _fetch(bot_id: ULID, now: datetime) -> None:
    row, bot = db.session.get(BotPhoto, bot_id), db.session.get(Bot, bot_id)
    if row is None or bot is None:
        # It has been deleted in between.
        return
    known, token = row.file_unique_id, service.token_of(bot)
    # Nothing is read while Telegram is waited for.
    db.session.rollback()
    asked = {"fetched_at": now, "next_at": now + EVERY}
    with closing(runtime.telegram.within(_SECONDS)) as telegram:
        size = picture.newest(telegram, token)
        if size is not None and size.unique_id == known:
            _keep(bot_id, **asked)
            return
        files_dir = runtime.settings.telegram_files_dir
        found = picture.download(telegram, token, size, files_dir) if size else None
    _keep(
        bot_id,
        file_unique_id=found.unique_id if found else None,
        content_type=found.content_type if found else None,
        content=found.content if found else None,
        **asked,
    )


def _keep(bot_id: ULID, **values: object) -> None:
    with writing() as session:
        session.execute(update(BotPhoto).where(BotPhoto.bot_id == bot_id).values(values))
