"""Users, teams, memberships, invitations, recovery codes and sessions."""

from datetime import datetime

from sqlalchemy import Enum, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.auth.roles import Role
from tgm.extensions import Base
from tgm.shared.ids import new_id
from tgm.shared.types import UlidType, UtcDateTime

RoleType = Enum(
    Role, native_enum=False, length=16, values_callable=lambda roles: [r.value for r in roles]
)


class Team(Base):
    """A group of people that owns bots and API keys."""

    __tablename__ = "teams"

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class User(Base):
    """A person. `email` is kept in lower case.

    `session_epoch` is part of every session cookie: raising it signs the person out everywhere.
    `sealed_totp` holds the TOTP secret, None while two-step sign-in is off; `totp_last_step` is the
    newest time step that was used, so that a code works once.
    """

    __tablename__ = "users"

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)
    sealed_totp: Mapped[str | None] = mapped_column(String(512))
    totp_last_step: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    signed_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def has_totp(self) -> bool:
        """Whether signing in asks for a second step."""
        return self.sealed_totp is not None


class Membership(Base):
    """A user's place in a team."""

    __tablename__ = "memberships"

    team_id: Mapped[ULID] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[ULID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[Role] = mapped_column(RoleType)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Invitation(Base):
    """A link that lets one person join a team. Only the hash of its token is kept."""

    __tablename__ = "invitations"
    __table_args__ = (Index("ix_invitations_team_id", "team_id"),)

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    team_id: Mapped[ULID] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role] = mapped_column(RoleType)
    email: Mapped[str | None] = mapped_column(String(320))
    invited_by: Mapped[str] = mapped_column(String(320))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def is_open(self, now: datetime) -> bool:
        """Whether it can still be accepted. An accepted invitation is deleted."""
        return now < self.expires_at


class RecoveryCode(Base):
    """A single-use stand-in for a TOTP code, kept as a hash and deleted when used."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "digest"),)

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    user_id: Mapped[ULID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(String(64))


class UserSession(Base):
    """A browser that somebody has signed in with. Only the hash of its token is kept.

    `seen_at` is up to a few minutes behind; `agent` is what the browser calls itself, shortened.
    """

    __tablename__ = "sessions"

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    user_id: Mapped[ULID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    address: Mapped[str | None] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(255))
