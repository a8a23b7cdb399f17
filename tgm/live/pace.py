"""How often live pages are looked after, how long a stream may last, and how many there may be."""

from dataclasses import dataclass

_LONG_REST_SECONDS = 0.5


@dataclass(frozen=True)
class Pace:
    """The hub's times in seconds, and its limits.

    `interval` lies between the beginnings of two rounds, `busy_interval` where each brings news: a
    row is seen within a second all the same. `lifetime` is after how long a stream ends, so that
    its browser is authenticated anew; `ask_again` how often a stream's person is looked up
    meanwhile. `patience` is how long a reader may take nothing. `most` streams may be open,
    `most_each` of one person.
    """

    interval: float = 0.25
    busy_interval: float = 0.65
    heartbeat: float = 15
    lifetime: float = 300
    ask_again: float = 5
    patience: float = 30
    most: int = 200
    most_each: int = 20


def rest(spent: float) -> float:
    """Return how long to rest after a round that took so many seconds of the processor: a quarter
    of it at most is for pages, but a half where the next round would be late otherwise."""
    return max(spent, min(3 * spent, _LONG_REST_SECONDS))
