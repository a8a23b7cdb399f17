"""Leaving the processor to calls while a live page is made.

Whatever runs in Python holds the interpreter for milliseconds at a stretch, and calls wait for it.
A page for live streams has time, so its rows are made one by one, with pauses in between.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

# So long one stretch lasts, and so long everybody else has the interpreter then.
_STRETCH_SECONDS = 0.0005
_PAUSE_SECONDS = 0.001
# What has not come to its end after so long goes on without pauses: readers wait, too.
_LONGEST_SECONDS = 0.2

Row = TypeVar("Row")


class _Own(threading.local):
    pause: Callable[[], None] | None = None


_own = _Own()


class _Pauses:
    """Called often, it waits now and then."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._until = self._since + _LONGEST_SECONDS

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._since < _STRETCH_SECONDS:
            return
        # Even no time at all hands the interpreter on, where somebody waits for it.
        time.sleep(_PAUSE_SECONDS if now < self._until else 0)
        self._since = time.monotonic()


@contextmanager
def pausing() -> Iterator[None]:
    """Let `pause` pause in this thread until the end of the block; elsewhere it does nothing."""
    _own.pause = _Pauses()
    try:
        yield
    finally:
        _own.pause = None


def pause() -> None:
    """Wait a little, where this thread has worked for long and may wait."""
    if _own.pause is not None:
        _own.pause()


def unhurried(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows as they are, with a `pause` before each."""
    for row in rows:
        pause()
        yield row
