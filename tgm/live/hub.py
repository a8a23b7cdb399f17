"""The one thread that writes to all live streams.

It asks a few times a second whether anything has changed, makes each page once for all who look at
the same one, and writes it to them. A reader is never waited for: one who is behind gets the newest
page once the last one has gone out, and one who takes nothing is dropped.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from tgm.live.events import HEARTBEAT, event
from tgm.live.stream import Stream

log = logging.getLogger(__name__)

_LONG_REST_SECONDS = 0.5


@dataclass(frozen=True)
class Pace:
    """The hub's times in seconds, and its limits.

    `lifetime` is after how long a stream ends, so that its browser is authenticated anew;
    `ask_again` how often a stream's person is looked up meanwhile. `patience` is how long a reader
    may take nothing. `most` streams may be open, `most_each` of one person.
    """

    interval: float = 0.25
    heartbeat: float = 15
    lifetime: float = 300
    ask_again: float = 5
    patience: float = 30
    most: int = 200
    most_each: int = 20


def _rest(took: float) -> float:
    """Return how long to rest after a round: a quarter of the time at most is spent on pages, but a
    half where the next round would be late otherwise."""
    return max(took, min(3 * took, _LONG_REST_SECONDS))


@dataclass
class _Reader:
    """A stream as the hub sees it. Only the hub's thread changes it."""

    since: float
    asked_at: float
    wrote_at: float
    moved_at: float
    unsent: int = 0
    page: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Page:
    mark: Hashable
    data: bytes


class Hub:
    """Holds the open streams. Its thread lives as long as there are any."""

    def __init__(
        self, pace: Pace | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pace = pace or Pace()
        self._clock = clock
        self._readers: dict[Stream, _Reader] = {}
        self._pages: dict[Hashable, _Page] = {}
        self._changed = threading.Condition()
        self._woken = False
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._fails = ""

    def __len__(self) -> int:
        return len(self._readers)

    def has_room(self, owner: Hashable) -> bool:
        """Tell whether `owner` may open one more stream."""
        with self._changed:
            return self._has_room(owner)

    def join(self, stream: Stream) -> bool:
        """Write to `stream` from now on; return False where there is no room."""
        now = self._clock()
        with self._changed:
            if self._stopped or not self._has_room(stream.owner):
                return False
            self._readers[stream] = _Reader(now, now, now, now)
            self._woken = True
            self._begin()
            self._changed.notify()
        return True

    def leave(self, stream: Stream) -> None:
        """Forget `stream`. Its connection is its own affair."""
        with self._changed:
            self._readers.pop(stream, None)

    def wake(self) -> None:
        """Look at once whether anything has changed."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop(self) -> None:
        """End every stream, and take no more."""
        with self._changed:
            self._stopped = True
            open_ones = list(self._readers)
            self._readers.clear()
            self._changed.notify()
            thread = self._thread
        for stream in open_ones:
            stream.end()
        if thread is not None:
            thread.join(5)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="tgm-live", daemon=True)
            self._thread.start()

    def _has_room(self, owner: Hashable) -> bool:
        if len(self._readers) >= self.pace.most:
            return False
        return sum(each.owner == owner for each in self._readers) < self.pace.most_each

    def _work(self) -> None:
        took = 0.0
        while True:
            # Calls want the processor, too.
            rest = _rest(took)
            time.sleep(rest)
            with self._changed:
                if not self._woken and not self._stopped:
                    self._changed.wait(max(0.0, self.pace.interval - rest))
                self._woken = False
                if self._stopped or not self._readers:
                    self._pages.clear()
                    self._thread = None
                    return
            began = time.monotonic()
            try:
                self.round()
            except Exception:
                log.exception("a round of the live streams failed; the next one follows")
            took = time.monotonic() - began

    def round(self) -> None:
        """Write whatever is due to everybody. The hub's thread does it; a test may."""
        now = self._clock()
        with self._changed:
            readers = dict(self._readers)
        for stream, reader in readers.items():
            if not self._may_stay(stream, reader, now):
                stream.end()
                self.leave(stream)
            elif self._is_stuck(stream, reader, now):
                stream.drop()
                self.leave(stream)
        self._show(readers, now)

    def _of(self, readers: Iterable[Stream]) -> list[Stream]:
        with self._changed:
            return [stream for stream in readers if stream in self._readers]

    def _may_stay(self, stream: Stream, reader: _Reader, now: float) -> bool:
        if now - reader.since >= self.pace.lifetime:
            return False
        if now - reader.asked_at < self.pace.ask_again:
            return True
        reader.asked_at = now
        return _is_welcome(stream)

    def _is_stuck(self, stream: Stream, reader: _Reader, now: float) -> bool:
        unsent = stream.unsent
        if not unsent or unsent != reader.unsent:
            reader.unsent, reader.moved_at = unsent, now
        return now - reader.moved_at >= self.pace.patience and unsent > 0

    def _show(self, readers: dict[Stream, _Reader], now: float) -> None:
        """Make the pages anew that have changed, and write each as soon as it is made."""
        groups: dict[Hashable, list[Stream]] = {}
        for stream in self._of(readers):
            groups.setdefault(stream.view, []).append(stream)
        self._pages = {view: page for view, page in self._pages.items() if view in groups}
        marks: dict[Hashable, Hashable] = {}
        failed = ""
        for view, members in groups.items():
            try:
                self._renew(view, members, marks)
            except Exception as error:  # noqa: BLE001 - one view that fails must not stop the others
                failed = type(error).__name__
            for stream in self._of(members):
                self._write(stream, readers[stream], now)
        if failed and failed != self._fails:
            # Once: a database that is away is away for many rounds.
            log.warning("a live page cannot be made for now: %s", failed)
        self._fails = failed

    def _renew(
        self, view: Hashable, members: list[Stream], marks: dict[Hashable, Hashable]
    ) -> None:
        topic = members[0].topic
        if topic not in marks:
            marks[topic] = members[0].mark()
        page = self._pages.get(view)
        if page is None or page.mark != marks[topic]:
            self._make(view, members, marks[topic])

    def _make(self, view: Hashable, members: list[Stream], mark: Hashable) -> None:
        for member in members:
            made = member.render()
            if made is not None:
                self._pages[view] = _Page(mark, event(made))
                return
            # Who may no longer see the page cannot have it made for the others.
            member.end()
            self.leave(member)

    def _write(self, stream: Stream, reader: _Reader, now: float) -> None:
        page = self._pages.get(stream.view)
        if page is not None and page.data != reader.page:
            if stream.unsent:
                # It gets the newest page once it has taken this one.
                return
            sent, reader.page = stream.send(page.data), page.data
        elif now - reader.wrote_at >= self.pace.heartbeat:
            sent = stream.send(HEARTBEAT)
        else:
            return
        reader.wrote_at = now
        if not sent:
            stream.drop()
            self.leave(stream)


def _is_welcome(stream: Stream) -> bool:
    try:
        return stream.is_welcome()
    except Exception as error:  # noqa: BLE001 - asked again soon; the stream's life is short anyway
        log.warning("a stream's reader could not be looked up: %s", type(error).__name__)
        return True
