"""Calls that people keep: by name as templates, and the last ones as a history."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.shared.ids import new_id
from tgm.shared.types import UlidType, UtcDateTime


class SendTemplate(Base):
    """A call kept by name, for the whole team. `bot_id` is None once its bot is gone.

    `made_by` is an e-mail address: the template outlives the person.
    """

    __tablename__ = "send_templates"
    __table_args__ = (
        UniqueConstraint("team_id", "name"),
        Index("ix_send_templates_bot_id", "bot_id"),
    )

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    team_id: Mapped[ULID] = mapped_column(ForeignKey("teams.id"))
    bot_id: Mapped[ULID | None] = mapped_column(ForeignKey("bots.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(64))
    method: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    made_by: Mapped[str] = mapped_column(String(254))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SendHistory(Base):
    """A call that a person has made, with the beginning of its answer.

    `left_out` tells what went with it and is not kept, by parameter: a file's name, or "" for a
    secret. `answer` is None where it may hold a secret.
    """

    __tablename__ = "send_history"
    __table_args__ = (
        Index("ix_send_history_user_id", "user_id", "team_id", "at"),
        Index("ix_send_history_bot_id", "bot_id"),
    )

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    team_id: Mapped[ULID] = mapped_column(ForeignKey("teams.id"))
    user_id: Mapped[ULID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    bot_id: Mapped[ULID] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"))
    method: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    left_out: Mapped[dict[str, str]] = mapped_column(JSON)
    status: Mapped[int] = mapped_column(Integer)
    milliseconds: Mapped[int] = mapped_column(Integer)
    answer: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
