"""Counting against limits in memory, which processes that were forked from one may share.

A storage of the package limits, for fixed windows only, which is all that TGM counts in. The
package's own storage in memory is for one process, and starts a thread again and again to tidy up.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from mmap import mmap
from typing import Any

from limits.storage import Storage

_SCHEME = "counted"
ADDRESS = f"{_SCHEME}://"
_BUCKETS = 8192  # a power of two
_WAYS = 8
_PLACES = _BUCKETS * _WAYS
_BYTES = 8
# Whoever has the lock needs microseconds: after this it has been killed.
_LOST_SECONDS = 1.0


class Counts:
    """A table of counts: as many as it has room for, those that are over and the smallest ones
    make room for new ones.

    Made before the fork by whoever shares it. Keys stand in it by their hashes, which Python makes
    anew for each start, so that nobody can choose keys that share one.
    """

    def __init__(self, *, shared: bool = False) -> None:
        """Raises OSError where the system has no locks to share."""
        self._lock: Any = multiprocessing.get_context("fork").Lock() if shared else threading.Lock()
        # Nothing is used of it before it is written to.
        memory = memoryview(mmap(-1, 3 * _PLACES * _BYTES))
        size = _PLACES * _BYTES
        self._hashes = memory[:size].cast("q")
        self._amounts = memory[size : 2 * size].cast("q")
        self._ends = memory[2 * size :].cast("d")

    def add(self, key: str, seconds: float, amount: int, now: float) -> tuple[int, float]:
        """Add to a key's count, in a window that begins now where none is open.

        Return what has been counted in it, and its end.
        """
        wanted = hash(key)
        with self._turn():
            place, is_open = self._place(wanted, now)
            if is_open:
                amount += self._amounts[place]
                end = self._ends[place]
            else:
                self._hashes[place] = wanted
                self._ends[place] = end = now + seconds
            self._amounts[place] = amount
            return amount, end

    def get(self, key: str, now: float) -> tuple[int, float]:
        """Return what has been counted and the window's end: 0 and now, where none is open."""
        with self._turn():
            place, is_open = self._place(hash(key), now)
            return (self._amounts[place], self._ends[place]) if is_open else (0, now)

    def forget(self, key: str) -> None:
        """Close a key's window."""
        with self._turn():
            place, is_open = self._place(hash(key), 0.0)
            if is_open:
                self._ends[place] = 0.0

    def clear(self, now: float) -> int:
        """Close every window; return how many there were."""
        with self._turn():
            found = [place for place in range(_PLACES) if self._ends[place] > now]
            for place in found:
                self._ends[place] = 0.0
            return len(found)

    def _place(self, wanted: int, now: float) -> tuple[int, bool]:
        """Return where a count is and True, or where it may be put and False."""
        first = (wanted & (_BUCKETS - 1)) * _WAYS
        free, least = -1, first
        for place in range(first, first + _WAYS):
            if self._ends[place] <= now:
                if free < 0:
                    free = place
            elif self._hashes[place] == wanted:
                return place, True
            elif self._amounts[place] < self._amounts[least]:
                least = place
        return (free if free >= 0 else least), False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        # Without it when its owner was killed meanwhile: letting go then mends it.
        self._lock.acquire(True, _LOST_SECONDS)
        try:
            yield
        finally:
            # RuntimeError and ValueError: somebody else has let go for this one.
            with suppress(RuntimeError, ValueError):
                self._lock.release()


class CountedStorage(Storage):
    """Counts in `counts`, or in a table of its own."""

    STORAGE_SCHEME = [_SCHEME]  # noqa: RUF012 - declared without ClassVar by the package

    def __init__(
        self,
        uri: str | None = None,
        wrap_exceptions: bool = False,
        *,
        counts: Counts | None = None,
        clock: Callable[[], float] = time.time,
        **options: float | str | bool,
    ) -> None:
        """`clock` returns epoch seconds."""
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._counts = counts or Counts()
        self._clock = clock

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a storage of this kind raises: nothing of its own."""
        return OSError

    def count(self, key: str, seconds: int, amount: int = 1) -> tuple[int, float]:
        """Count `amount`. Return what has been counted in the window, and its end."""
        return self._counts.add(key, seconds, amount, self._clock())

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount`; return what has been counted in the window."""
        return self.count(key, expiry, amount)[0]

    def get(self, key: str) -> int:
        """Return what has been counted in the window that is open."""
        return self._counts.get(key, self._clock())[0]

    def get_expiry(self, key: str) -> float:
        """Return the window's end in epoch seconds; now, where none is open."""
        return self._counts.get(key, self._clock())[1]

    def check(self) -> bool:
        """Tell whether it can be used: always."""
        return True

    def reset(self) -> int | None:
        """Forget every count; return how many there were."""
        return self._counts.clear(self._clock())

    def clear(self, key: str) -> None:
        """Forget what was counted under a key."""
        self._counts.forget(key)
