"""Where things stand in a chart: numbers to places, in percent of its height. All of it is pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import log

# What is there must be seen, even one call beside a million: about a pixel and a half.
LEAST = 0.8
_MOST_TICKS = 4

# Milliseconds that are round numbers to people. Each stands as far from the next as any other.
_DURATIONS = (
    1,
    10,
    100,
    1_000,
    10_000,
    60_000,
    600_000,
    3_600_000,
    21_600_000,
    86_400_000,
    259_200_000,
    2_592_000_000,
)


def ticks(most: int) -> tuple[int, ...]:
    """Return round numbers from 0 to `most` or just above, all equally far apart, at most five."""
    step = 1
    while -(-most // step) > _MOST_TICKS:
        # 1, 2, 5, 10, 20, 50 and so on.
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return tuple(range(0, max(1, -(-most // step)) * step + 1, step))


def heights(values: Sequence[int], top: int) -> tuple[float, ...]:
    """Return how high each part of a stack is. Together they are 100 at most.

    What is more than nothing is seen, at the cost of the largest part.
    """
    found = [max(LEAST, value * 100 / top) if value else 0.0 for value in values]
    over = sum(found) - 100
    if over > 0:
        largest = found.index(max(found))
        found[largest] -= over
    return tuple(found)


def duration_ticks(shortest: int, longest: int) -> tuple[int, ...]:
    """Return round durations in milliseconds, from below the shortest to above the longest."""
    last = len(_DURATIONS) - 1
    low = min(max(bisect_right(_DURATIONS, shortest) - 1, 0), last - 1)
    high = low + 1
    while high < last and _DURATIONS[high] < longest:
        high += 1
    return _DURATIONS[low : high + 1]


def duration_height(milliseconds: int, scale: Sequence[int]) -> float:
    """Return how high a duration stands between ticks that are equally far apart."""
    inside = min(max(milliseconds, scale[0]), scale[-1])
    below = min(bisect_right(scale, inside) - 1, len(scale) - 2)
    part = log(inside / scale[below]) / log(scale[below + 1] / scale[below])
    return (below + part) * 100 / (len(scale) - 1)


# How many pieces a label covers with its text: nearer to the end there is no room for one.
_ROOM = {"1h": 2, "24h": 3, "7d": 4, "30d": 5}


def labelled(span: str, begun: Iterable[datetime]) -> tuple[str, ...]:
    """Return for each piece, by its beginning on the reader's clock, what stands below it.

    `major` and `minor` are labels, of which the minor ones are left out where there is little room.
    """
    times = tuple(begun)
    kinds = [_kind(span, place, at) for place, at in enumerate(times)]
    room = _ROOM[span]
    return tuple(kind if place + room <= len(times) else "" for place, kind in enumerate(kinds))


def _kind(span: str, place: int, at: datetime) -> str:
    if span == "1h":
        return "major" if at.minute % 15 == 0 else ""
    if span == "24h":
        return ("minor" if at.hour % 6 else "major") if at.hour % 3 == 0 else ""
    if span == "7d":
        return ("minor" if place // 4 % 2 else "major") if at.hour < 6 else ""
    return "" if place % 5 else ("minor" if place // 5 % 2 else "major")
