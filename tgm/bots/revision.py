"""The revision: a number that rises with every change to bots and API keys.

Each process keeps a snapshot of both and compares one number to know whether it is still true.
"""

from sqlalchemy import Integer, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from tgm.extensions import Base


class Revision(Base):
    """The single row, made with the table."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer)


def bump(session: Session) -> None:
    """Tell every process that bots or keys changed. Part of the transaction that changes them."""
    session.execute(update(Revision).values(number=Revision.number + 1))
