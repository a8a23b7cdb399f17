"""API keys, and which bots they may use."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.security.credentials import KEY_PREFIX
from tgm.shared.ids import new_id
from tgm.shared.types import UlidType, UtcDateTime

# How long before its end a key is said to expire soon.
SOON = timedelta(days=14)


class KeyState(StrEnum):
    """Whether a key works, and if not, why."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ApiKey(Base):
    """An API key. Only its SHA-256 is kept, and its last four characters to recognise it by.

    `methods` holds patterns separated by spaces; `per_minute` is None for the general rate;
    with `all_bots` the key may use every bot of its team, those added later included.
    `consumer_id` names the first key of a row of rotations, None for that one itself: they receive
    updates as one program.
    """

    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_team_id", "team_id"),)

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    team_id: Mapped[ULID] = mapped_column(ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    last_four: Mapped[str] = mapped_column(String(4))
    all_bots: Mapped[bool] = mapped_column(Boolean, default=True)
    methods: Mapped[str] = mapped_column(String(2000), default="*")
    per_minute: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    rotated_from: Mapped[ULID | None] = mapped_column(UlidType)
    consumer_id: Mapped[ULID | None] = mapped_column(UlidType)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The method patterns, such as `*`, `send*` and `getMe`."""
        return tuple(self.methods.split())

    @property
    def hint(self) -> str:
        """What may be shown of the secret: the prefix all keys share, and the last characters."""
        return f"{KEY_PREFIX}…{self.last_four}"

    def state(self, now: datetime) -> KeyState:
        """Tell whether the key works at `now`."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and now >= self.expires_at:
            return KeyState.EXPIRED
        return KeyState.ACTIVE

    def expires_soon(self, now: datetime) -> bool:
        """Tell whether the key works at `now`, and will not within days."""
        if self.expires_at is None or self.state(now) is not KeyState.ACTIVE:
            return False
        return self.expires_at - now <= SOON


class ApiKeyBot(Base):
    """A bot that a key without `all_bots` may use."""

    __tablename__ = "api_key_bots"

    key_id: Mapped[ULID] = mapped_column(
        ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True
    )
    bot_id: Mapped[ULID] = mapped_column(
        ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True, index=True
    )
