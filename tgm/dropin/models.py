"""Programs that receive a bot's updates through TGM, and how far each has come."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.shared.types import UlidType, UtcDateTime


class Consumer(Base):
    """A program at a bot: an API key with its successors.

    It has confirmed every update up to `cursor` (`StoredUpdate.seq`). `kinds` are the
    allowed_updates it asked for last, None for Telegram's usual ones. `holder` is the process that
    its polls count at, those that another one holds are over; None once a webhook has ended them.
    """

    __tablename__ = "consumers"

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True)
    bot_id: Mapped[ULID] = mapped_column(
        ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True
    )
    cursor: Mapped[int] = mapped_column(BigInteger)
    kinds: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    polled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    holder: Mapped[ULID | None] = mapped_column(UlidType)
