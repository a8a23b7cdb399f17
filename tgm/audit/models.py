"""One row for each act."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.shared.ids import new_id
from tgm.shared.types import UlidType, UtcDateTime


class AuditEntry(Base):
    """An act. It keeps names beside ids, since it must stay readable after a deletion.

    `actor` is an e-mail address, or `command line`; `action` reads `bot.added`, `key.revoked` and
    so on; `details` holds plain facts, never a secret. `team_id` is None for what concerns no team.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_team_id_id", "team_id", "id"),)

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    team_id: Mapped[ULID | None] = mapped_column(UlidType)
    actor: Mapped[str] = mapped_column(String(320))
    address: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[str | None] = mapped_column(String(64))
    subject_name: Mapped[str | None] = mapped_column(String(320))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
