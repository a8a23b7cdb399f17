"""When to try again, and how long a failing delivery holds its chat back. Pure rules."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

RETRIES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
)
JITTER = 0.2
_LONGEST_RETRY_AFTER = 3600
# An endpoint at which nothing has succeeded for so long is paused.
GIVE_UP_AFTER = timedelta(days=3)


def next_attempt_at(
    attempts_made: int, now: datetime, *, jitter: float, retry_after: int | None = None
) -> datetime | None:
    """Return when to try again after a failure, None once the schedule is spent.

    `attempts_made` counts the one that has just failed. `jitter`, from -1 to 1, spreads the time by
    up to a fifth. `retry_after`, in seconds, is what the receiver asked for: it makes the wait
    longer, never shorter, and counts for an hour at most.
    """
    if attempts_made > len(RETRIES):
        return None
    wait = RETRIES[attempts_made - 1] * (1 + JITTER * jitter)
    asked = timedelta(seconds=min(retry_after or 0, _LONGEST_RETRY_AFTER))
    return now + max(wait, asked)


def holds_until(first_failed_at: datetime, minutes: int) -> datetime | None:
    """Return until when a delivery that failed first at that time holds its chat's later ones.

    None is for ever, which is what 0 `minutes` mean.
    """
    return first_failed_at + timedelta(minutes=minutes) if minutes else None


def is_given_up(failing_since: datetime, now: datetime) -> bool:
    """Tell whether an endpoint has been failing for so long that it is to be paused."""
    return now - failing_since >= GIVE_UP_AFTER


def retry_after(headers: Iterable[tuple[str, str]], now: datetime) -> int | None:
    """Return the seconds of a Retry-After header, None without one that can be read.

    It may also name a date.
    """
    text = next((value for name, value in headers if name.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:10]), _LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    # A date without a zone has no meaning here; HTTP's are always GMT.
    return None if at.tzinfo is None else max(0, round((at - now).total_seconds()))
