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


def row_number(text: str) -> int:
    """Return the row that `text` names. Raises ValueError for what no row can have.

    The databases keep 64 bits, and a larger number in a query is an error, not an empty page.
    """
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError
    return number
