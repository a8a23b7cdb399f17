"""A pace per endpoint: how many of its backlog may start within a second."""

from collections import deque
from datetime import datetime, timedelta

_SECOND = timedelta(seconds=1)


class Pace:
    """Remembers the starts of the last second. Use it from one thread."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._starts: dict[str, deque[datetime]] = {}

    def left(self, endpoint_id: str, now: datetime) -> int:
        """Return how many may start now."""
        starts = self._starts.setdefault(endpoint_id, deque())
        while starts and starts[0] <= now - _SECOND:
            starts.popleft()
        return max(0, self._per_second - len(starts))

    def note(self, endpoint_id: str, now: datetime) -> None:
        """Count one that has started."""
        self._starts.setdefault(endpoint_id, deque()).append(now)
