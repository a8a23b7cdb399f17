"""The chats that bots have got updates from: noted as updates are stored, searched by people."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, select
from ulid import ULID

from tgm.database import insert_or_replace
from tgm.extensions import db
from tgm.webhook.facts import ChatFacts
from tgm.webhook.models import Chat

# Writing the same chat with each of its messages would cost more than it tells.
_AGAIN_AFTER = timedelta(minutes=1)
_MOST_REMEMBERED = 10_000
_LONGEST_WORDS = 400
_NEWS = ("kind", "title", "username", "words", "last_seen_at")

_table: Table = Chat.__table__  # type: ignore[assignment]

Seen = tuple[str, ChatFacts, datetime]


class ChatNotes:
    """Writes chats down, but one that has not changed once a minute at most.

    Used by the one thread that stores updates.
    """

    def __init__(self) -> None:
        self._noted: dict[tuple[str, int], tuple[ChatFacts, datetime]] = {}

    def write(self, connection: Connection, seen: Iterable[Seen]) -> list[Seen]:
        """Write what is new of `seen` (bot, chat, when), and return it for `remember`."""
        latest = {(bot_id, chat.id): (bot_id, chat, at) for bot_id, chat, at in seen}
        # In one order, so that two processes cannot wait for each other's rows.
        news = [latest[key] for key in sorted(latest) if self._is_news(*latest[key])]
        if news:
            connection.execute(
                insert_or_replace(connection, _table, _NEWS), [_row(*one) for one in news]
            )
        return news

    def remember(self, written: Iterable[Seen]) -> None:
        """Take note that these are on disk: to be called after the commit."""
        for bot_id, chat, at in written:
            self._noted.pop((bot_id, chat.id), None)
            self._noted[bot_id, chat.id] = chat, at
        while len(self._noted) > _MOST_REMEMBERED:
            del self._noted[next(iter(self._noted))]

    def _is_news(self, bot_id: str, chat: ChatFacts, at: datetime) -> bool:
        noted = self._noted.get((bot_id, chat.id))
        return noted is None or noted[0] != chat or at - noted[1] >= _AGAIN_AFTER


def _row(bot_id: str, chat: ChatFacts, at: datetime) -> dict[str, object]:
    words = f"{chat.title} {chat.username or ''} {chat.id}".lower()
    return {
        "bot_id": bot_id,
        "chat_id": chat.id,
        "kind": chat.kind,
        "title": chat.title,
        "username": chat.username,
        "words": words[:_LONGEST_WORDS],
        "last_seen_at": at,
    }


def search(bot_id: ULID, text: str = "", *, most: int = 20) -> Sequence[Chat]:
    """Return a bot's chats whose name, user name or id holds `text`, the one seen last first."""
    query = select(Chat).where(Chat.bot_id == bot_id)
    wanted = " ".join(text.replace("\0", "").lower().split()).removeprefix("@")
    if wanted:
        query = query.where(Chat.words.contains(wanted, autoescape=True))
    return db.session.scalars(query.order_by(Chat.last_seen_at.desc()).limit(most)).all()


def named(bot_id: ULID, chat_id: int) -> Chat | None:
    """Return the chat with this id, None where the bot has not seen it."""
    return db.session.get(Chat, (bot_id, chat_id))
