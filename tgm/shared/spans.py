"""Spans of time that figures are shown for, cut into pieces; and the steps they are counted in."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

Value = TypeVar("Value")

# What is counted falls into one row for every five minutes and one for every hour. The short rows
# are for the last hour alone, the long ones for the longest span and a day to spare.
FIVE_MINUTES = 300
HOUR = 3600
STEPS = (FIVE_MINUTES, HOUR)
KEPT = {FIVE_MINUTES: timedelta(days=2), HOUR: timedelta(days=31)}


@dataclass(frozen=True)
class Span:
    """A span that ends now: `count` pieces of `seconds` each, counted in rows of `step` seconds."""

    name: str
    count: int
    seconds: int
    step: int


SPANS = {
    span.name: span
    for span in (
        Span("1h", 12, 300, FIVE_MINUTES),
        Span("24h", 24, HOUR, HOUR),
        Span("7d", 28, 6 * HOUR, HOUR),
        Span("30d", 30, 24 * HOUR, HOUR),
    )
}


def floor(at: datetime, step: int) -> datetime:
    """Return when the step of `step` seconds began in which `at` lies, in UTC."""
    return datetime.fromtimestamp(int(at.timestamp()) // step * step, UTC)


def starts(span: Span, now: datetime, zone: tzinfo = UTC) -> tuple[datetime, ...]:
    """Return when the span's pieces begin, the oldest first, in UTC; `now` lies in the last one.

    Pieces longer than an hour begin at the zone's midnight, or at 6, 12 or 18 o'clock: where its
    clocks change, one of them is longer or shorter than the others.
    """
    if span.seconds <= HOUR:
        last = floor(now, span.seconds)
        ago = timedelta(seconds=span.seconds)
        return tuple(last - ago * (span.count - 1 - place) for place in range(span.count))
    hours = span.seconds // HOUR
    local = now.astimezone(zone).replace(tzinfo=None)
    wall = local.replace(hour=local.hour // hours * hours, minute=0, second=0, microsecond=0)
    ago = timedelta(hours=hours)
    return tuple(_utc(wall - ago * (span.count - 1 - place), zone) for place in range(span.count))


def _utc(wall: datetime, zone: tzinfo) -> datetime:
    # By way of UTC twice, since not every kind of zone can be put on a wall clock's time directly.
    guess = wall.replace(tzinfo=UTC)
    for _ in range(2):
        offset = guess.astimezone(zone).utcoffset() or timedelta(0)
        guess = wall.replace(tzinfo=UTC) - offset
    return guess


def sort(
    rows: Iterable[tuple[datetime, Value]], begun: tuple[datetime, ...]
) -> Iterator[tuple[int, Value]]:
    """Yield each value with the place of the piece in which its time lies.

    What is older than all of them is left out; a row belongs where its step begins.
    """
    for at, value in rows:
        place = bisect_right(begun, at) - 1
        if place >= 0:
            yield place, value
