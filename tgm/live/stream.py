"""One page that a browser looks at live."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tgm.live.channel import Held, Line
from tgm.live.events import event, retry

if TYPE_CHECKING:
    from tgm.live.hub import Hub

_AGAIN_MS = 2000


@dataclass(eq=False)
class Stream:
    """An answer that a `Hub` writes to; without `hold` one that says how things are, and ends.

    Streams with equal `view` see the same page; `render` makes it, None where its person may not
    see it any more. `mark` tells in one cheap look whether any page of `topic` may have changed.
    `is_welcome` asks whether the person may still see the page, for all streams with equal `guest`
    together. All three run in the hub's thread.
    """

    hub: "Hub"
    owner: Hashable
    view: Hashable
    topic: Hashable
    mark: Callable[[], Hashable] = field(repr=False)
    render: Callable[[], bytes | None] = field(repr=False)
    is_welcome: Callable[[], bool] = field(repr=False)
    guest: Hashable = field(repr=False)
    hold: Callable[[Held], None] | None = field(default=None, repr=False)
    _line: Line | None = field(default=None, init=False, repr=False)

    def __iter__(self) -> Iterator[bytes]:
        yield retry(_AGAIN_MS)
        if self.hold is not None:
            self.hold(self)
        else:
            page = self.render()
            if page is not None:
                yield event(page)

    @property
    def unsent(self) -> int:
        """How many bytes the reader has not taken yet."""
        return self._line.unsent if self._line else 0

    def attach(self, line: Line) -> None:
        """Take the connection over."""
        self._line = line
        if not self.hub.join(self):
            line.end()

    def lost(self) -> None:
        """Hear that the connection is gone."""
        self.hub.leave(self)

    def send(self, data: bytes) -> bool:
        """Write; return False where that cannot be."""
        return self._line is not None and self._line.send(data)

    def end(self) -> None:
        """Finish, so that the browser connects anew."""
        if self._line is not None:
            self._line.end()

    def drop(self) -> None:
        """Break the connection off."""
        if self._line is not None:
            self._line.drop()
