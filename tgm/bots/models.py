"""A bot, as TGM knows it, and its photo."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.shared.ids import new_id
from tgm.shared.types import UlidType, UtcDateTime


class Bot(Base):
    """A bot, unique in the installation: two teams with the same one would fight over its webhook.

    `telegram_id` is the number before the colon of its token. `api_base_url` is the Bot API server
    it is at, None for TELEGRAM_API_BASE_URL. `receiving` says how TGM receives the
    bot's updates, None while it does not: `getUpdates` is then the callers' own. `keeps_pace` says
    whether calls are held back where Telegram would refuse them for their number.
    """

    __tablename__ = "bots"
    __table_args__ = (Index("ix_bots_team_id", "team_id"),)

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    team_id: Mapped[ULID] = mapped_column(ForeignKey("teams.id"))
    telegram_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    username: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    sealed_token: Mapped[str] = mapped_column(String(512))
    api_base_url: Mapped[str | None] = mapped_column(String(500))
    receiving: Mapped[str | None] = mapped_column(String(16))
    keeps_pace: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_disabled(self) -> bool:
        """Whether calls are refused for now."""
        return self.disabled_at is not None

    @property
    def token_place(self) -> str:
        """Where the sealed token belongs: sealed anywhere else, it cannot be opened."""
        return token_place(str(self.id))


class BotPhoto(Base):
    """A bot's own photo, and when Telegram is asked for it next; made with the bot.

    `file_unique_id` is Telegram's name for the photo. It, `content_type` and `content` are None
    together, where the bot has no photo that can be shown. `fetched_at` is when Telegram answered
    last, None before it has.
    """

    __tablename__ = "bot_photos"
    __table_args__ = (Index("ix_bot_photos_next_at", "next_at"),)

    bot_id: Mapped[ULID] = mapped_column(
        ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True
    )
    content_type: Mapped[str | None] = mapped_column(String(16))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    file_unique_id: Mapped[str | None] = mapped_column(String(64))
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)


def token_place(bot_id: str) -> str:
    """Return the place of a bot's sealed token, for the vault."""
    return f"bots:{bot_id}:sealed_token"
