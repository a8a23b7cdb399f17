"""What is counted of deliveries."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.shared.types import UtcDateTime
from tgm.webhook.models import words_of


class Outcome(StrEnum):
    """How an attempt ended: delivered, failed and to be tried again, or failed for the last time.

    The last of them gives its delivery up.
    """

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"


class DeliveryFigure(Base):
    """How many attempts at an endpoint ended in one way in one step of time, for charts.

    Each counts in a step of 300 and in one of 3600 `step` seconds. `at` is when the step began.
    `milliseconds` is from the delivery's making to the attempt's end, all of them together, and
    `slowest` the longest.
    """

    __tablename__ = "delivery_figures"
    __table_args__ = (
        Index("ix_delivery_figures_step_at", "step", "at"),
        {"sqlite_with_rowid": False},
    )

    endpoint_id: Mapped[ULID] = mapped_column(
        ForeignKey("endpoints.id", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(words_of(Outcome), primary_key=True)
    attempts: Mapped[int] = mapped_column(BigInteger)
    milliseconds: Mapped[int] = mapped_column(BigInteger)
    slowest: Mapped[int] = mapped_column(BigInteger)
