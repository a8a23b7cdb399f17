"""Spreading connections evenly over processes that share one listening socket.

The kernel wakes all of them, and whoever is quickest takes the connection: one process would take a
whole crowd that comes at once, and the others would have nothing to do.
"""

import math
import mmap
import time
from collections.abc import Callable
from typing import Any

_BYTES = 8
# A process that has more connections than another one leaves a new one to it for so long.
_HOLD_BACK_SECONDS = 0.002
_NAP_SECONDS = 0.0002


class Spread:
    """How many connections each process has, in memory that they share. Make it before a fork."""

    def __init__(self, count: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, count * _BYTES)).cast("d")
        for number in range(count):
            self.leave(number)

    def leave(self, number: int) -> None:
        """Note that a process is not there."""
        self._counts[number] = math.inf

    def note(self, number: int, connections: int) -> None:
        """Note how many connections a process has."""
        self._counts[number] = connections

    def has_too_many(self, number: int) -> bool:
        """Tell whether another process should rather take the next connection."""
        # With many of them a few more or less matter to nobody.
        least = min(self._counts)
        return self._counts[number] > least + least // 16

    def fit(self, server: Any, number: int) -> None:
        """Have a waitress server take part."""
        server.active_channels = _Counted(lambda count: self.note(number, count))
        accept = server.handle_accept

        def accept_in_turn() -> None:
            until = time.monotonic() + _HOLD_BACK_SECONDS
            # Not for ever: the other one may be busy, or about to end.
            while self.has_too_many(number) and time.monotonic() < until:
                time.sleep(_NAP_SECONDS)
            accept()

        server.handle_accept = accept_in_turn
        self.note(number, 0)


class _Counted(dict[int, Any]):
    """A server's connections, which tells how many there are."""

    def __init__(self, note: Callable[[int], None]) -> None:
        super().__init__()
        self._note = note

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self._note(len(self))

    def __delitem__(self, key: int) -> None:
        super().__delitem__(key)
        self._note(len(self))
