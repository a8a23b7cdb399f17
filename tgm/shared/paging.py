"""Pages by key, not by number: the millionth row is found as fast as the first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, and whether older ones follow: the last row's id is where they begin."""

    rows: Sequence[Row]
    has_more: bool


def page_of(found: Iterable[Row], size: int) -> Page[Row]:
    """Make a page from a query that was limited to `size` + 1 rows."""
    rows = list(found)
    return Page(rows[:size], has_more=len(rows) > size)
