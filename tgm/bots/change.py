"""The one way to change bots and API keys, so that no process misses it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from tgm.bots import revision
from tgm.database import writing
from tgm.extensions import runtime


@contextmanager
def changing() -> Iterator[Session]:
    """Open a transaction that changes bots or keys; see `tgm.database.writing`.

    The revision rises with it, and this process forgets its snapshot after the commit. Telegram
    must not be called inside: every other writer would wait for it.
    """
    with writing() as session:
        yield session
        revision.bump(session)
    runtime.snapshot.drop()
