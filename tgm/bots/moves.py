"""Moves from one Bot API server to another: what is known of one, and Telegram's rules for them."""

from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy import Enum, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.shared.errors import N_, Invalid
from tgm.shared.types import UtcDateTime
from tgm.telegram.upstream import is_cloud

_MOST_CHARACTERS = 500


class Step(StrEnum):
    """How far a move is."""

    LEAVING = "leaving"
    """The old server still has the bot, and answers calls for it."""
    JOINING = "joining"
    """The bot has left the old server, and has still to be taken in by the new one."""


class Problem(StrEnum):
    """Why a move waits."""

    WAIT = "wait"
    """Telegram asked for it."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


class Move(Base):
    """A bot's move under way. A URL is None for TELEGRAM_API_BASE_URL.

    It goes on at `next_at`, by whoever holds the lease. While it lasts, nobody polls the bot.
    """

    __tablename__ = "bot_moves"

    bot_id: Mapped[ULID] = mapped_column(
        ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[Step] = mapped_column(
        Enum(Step, native_enum=False, length=16, values_callable=lambda kind: list(kind))
    )
    old_url: Mapped[str | None] = mapped_column(String(_MOST_CHARACTERS))
    new_url: Mapped[str | None] = mapped_column(String(_MOST_CHARACTERS))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(16))
    problem_text: Mapped[str | None] = mapped_column(String(1000))


def checked_address(text: str) -> str:
    """Return a Bot API server's address as it is kept. Raises Invalid."""
    text = text.strip()
    parts = urlsplit(text)
    try:
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good or not text.isascii() or any(character.isspace() for character in text):
        raise Invalid(
            N_("Please give an address that starts with http:// or https://."), field="url"
        )
    if parts.query or parts.fragment or parts.username is not None:
        raise Invalid(N_("Please give the address only, without user name, ? or #."), field="url")
    if len(text) > _MOST_CHARACTERS:
        raise Invalid(N_("This address is too long."), field="url")
    return text.rstrip("/")


def way_out(old_url: str | None, new_url: str | None) -> str:
    """Return the method by which a bot leaves a server.

    Between two servers that people run themselves it is enough to close it at the old one. Where
    Telegram's own has a part in it, which TELEGRAM_API_BASE_URL usually is, it must be logged out.
    """
    ours = all(url is not None and not is_cloud(url) for url in (old_url, new_url))
    return "close" if ours else "logOut"
