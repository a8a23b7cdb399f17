"""Counting against a limit, with the extension's own strategy and storage, once per call."""

import logging
import math
import time
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from tgm.shared.counted import CountedStorage
from tgm.shared.sqlite_limits import SqliteStorage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LimitState:
    """Where a caller stands: `reset_at` is in epoch seconds, rounded up; `retry_after` is how many
    whole seconds it takes until then, at least one."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: int
    retry_after: int


@lru_cache(maxsize=1024)
def per_minute(amount: int) -> RateLimitItem:
    """Return the limit of `amount` in each window of one minute."""
    return RateLimitItemPerMinute(amount)


@lru_cache(maxsize=64)
def per_seconds(amount: int, seconds: int) -> RateLimitItem:
    """Return the limit of `amount` in each window of `seconds`."""
    return RateLimitItemPerSecond(amount, seconds)


class Limits:
    """Counts hits. Where the shared storage fails, this process counts for itself meanwhile."""

    def __init__(self, strategy: RateLimiter) -> None:
        self._strategy = strategy
        self._own = FixedWindowRateLimiter(CountedStorage())

    def hit(self, item: RateLimitItem, *names: str) -> LimitState:
        """Count one, and tell where that leaves `names`."""
        return self._count(item, names, cost=1)

    def look(self, item: RateLimitItem, *names: str) -> LimitState:
        """Tell where `names` stand, without counting."""
        return self._count(item, names, cost=0)

    def clear(self, item: RateLimitItem, *names: str) -> None:
        """Forget what was counted for `names`."""
        try:
            self._strategy.clear(item, *names)
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            log.warning("the limit storage failed: %s", type(error).__name__)
        self._own.clear(item, *names)

    def _count(self, item: RateLimitItem, names: tuple[str, ...], cost: int) -> LimitState:
        try:
            return _count(self._strategy, item, names, cost)
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            log.warning("the limit storage failed: %s", type(error).__name__)
            return _count(self._own, item, names, cost)


def _count(
    strategy: RateLimiter, item: RateLimitItem, names: tuple[str, ...], cost: int
) -> LimitState:
    storage = strategy.storage
    if cost and isinstance(storage, CountedStorage | SqliteStorage):
        # Once, where the package would ask three times.
        counted, reset = storage.count(item.key_for(*names), item.get_expiry(), cost)
        allowed, remaining = counted <= item.amount, item.amount - counted
    else:
        allowed = strategy.hit(item, *names) if cost else strategy.test(item, *names)
        reset, remaining = strategy.get_window_stats(item, *names)
    # A window that has just closed reports a time in the past: the next one starts now.
    now = time.time()
    reset = max(reset, now)
    wait = max(1, math.ceil(reset - now))
    return LimitState(allowed, item.amount, max(0, remaining), math.ceil(reset), wait)
