"""A live list as it is sent: whole, or only the rows in which it differs from the one before.

A row is what begins with `<tr id=`. One that stays as it is goes out empty, in its place among the
others: the browser has it already. What has no rows is always sent whole.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

from tgm.live.events import event

# No text of others begins a row: its brackets are escaped.
_ROW = re.compile(rb'(?=<tr id=")')
_END = b"</tr>"


@dataclass(eq=False)
class Page:
    """A page that was made. `before` is the one that was sent last, None for the first."""

    html: bytes = field(repr=False)
    before: "Page | None" = field(default=None, repr=False)

    def followed_by(self, html: bytes) -> "Page":
        """Return the next page. This one forgets what came before it."""
        self.before = None
        return Page(html, self)

    @cached_property
    def whole(self) -> bytes:
        """The event for a reader who has none of it."""
        return event(self.html)

    @cached_property
    def news(self) -> bytes:
        """The event for a reader who has the page before."""
        had = set(self.before.rows) if self.before else set()
        if had.isdisjoint(self.rows):
            return self.whole
        rows = (_emptied(row) if row in had else row for row in self.rows)
        return event(b"".join((self._head, *rows, self._tail)))

    @cached_property
    def rows(self) -> tuple[bytes, ...]:
        """The rows, from the opening bracket to the closing one."""
        return tuple(part[: part.rindex(_END) + len(_END)] for part in self._parts[1:])

    @property
    def _head(self) -> bytes:
        return self._parts[0]

    @property
    def _tail(self) -> bytes:
        return self._parts[-1].rpartition(_END)[2]

    @cached_property
    def _parts(self) -> list[bytes]:
        return _ROW.split(self.html)


def _emptied(row: bytes) -> bytes:
    return row[: row.index(b">") + 1] + _END
