"""Where calls wait for their turn without a thread: one for all of them, and some that work."""

import heapq
import logging
import threading
import time
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import Protocol

log = logging.getLogger(__name__)

_GRACE_SECONDS = 5.0


class Errand(Protocol):
    """Something to do at a time."""

    @property
    def due(self) -> float:
        """When, by the room's clock."""

    def run(self) -> None:
        """Do it, in a thread of the room's. May be put into a room again."""

    def turn_away(self) -> None:
        """Hear that it will not be done: the room closes."""


class Room:
    """Runs errands when they are due. The threads begin with the first one."""

    def __init__(
        self, name: str, *, most_threads: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._name = name
        self._most = most_threads
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Errand]] = []
        self._numbers = count()
        self._due: SimpleQueue[Errand | None] = SimpleQueue()
        self._busy = 0
        self._threads: list[threading.Thread] = []
        self._timer: threading.Thread | None = None
        self._is_closed = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, errand: Errand) -> None:
        """Run it when it is due; in a room that has closed it is turned away."""
        with self._changed:
            if not self._is_closed:
                heapq.heappush(self._waiting, (errand.due, next(self._numbers), errand))
                if self._timer is None:
                    self._timer = self._start(self._keep_time, "time")
                self._changed.notify()
                return
        errand.turn_away()

    def close(self) -> None:
        """Turn away what waits, and wait a little for what is under way."""
        with self._changed:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify()
        for _, _, errand in waiting:
            errand.turn_away()
        until = time.monotonic() + _GRACE_SECONDS
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _start(self, target: Callable[[], None], what: object) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"{self._name}-{what}", daemon=True)
        thread.start()
        return thread

    def _keep_time(self) -> None:
        while True:
            with self._changed:
                if self._is_closed:
                    return
                left = self._waiting[0][0] - self.clock() if self._waiting else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                _, _, errand = heapq.heappop(self._waiting)
                self._busy += 1
                if min(self._busy, self._most) > len(self._threads):
                    self._threads.append(self._start(self._work, len(self._threads)))
                self._due.put(errand)

    def _work(self) -> None:
        while (errand := self._due.get()) is not None:
            try:
                errand.run()
            except Exception:
                log.exception("something that was due failed")
            with self._changed:
                self._busy -= 1
