"""The one thread that writes to all live streams.

It asks a few times a second whether anything has changed, makes each page once for all who look at
the same one, and writes them what is new in it. A reader is never waited for: one who is behind
gets the newest page once the last one has gone out, and one who takes nothing is dropped.

Calls come first: the thread pauses often while it works, and where there is something new each
time it looks, it looks less often.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from tgm.live.events import HEARTBEAT
from tgm.live.pace import Pace, rest
from tgm.live.pages import Page
from tgm.live.pausing import pause, pausing
from tgm.live.stream import Stream

log = logging.getLogger(__name__)


@dataclass
class _Reader:
    """A stream as the hub sees it. Only the hub's thread changes it."""

    since: float
    asked_at: float
    wrote_at: float
    moved_at: float
    unsent: int = 0
    page: Page | None = field(default=None, repr=False)


@dataclass
class _Shown:
    """What all who look at the same page see, and the mark under which it was made."""

    mark: Hashable
    page: Page


class Hub:
    """Holds the open streams. Its thread lives as long as there are any."""

    def __init__(
        self, pace: Pace | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pace = pace or Pace()
        self._clock = clock
        self._readers: dict[Stream, _Reader] = {}
        self._shown: dict[Hashable, _Shown] = {}
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
        began, spent = -math.inf, 0.0
        had_news, has_news = False, False
        while True:
            is_busy = had_news and has_news
            soonest = time.monotonic() + rest(spent)
            if is_busy:
                # Not even who has just come is served sooner: they have the page as it was.
                soonest = max(soonest, began + self.pace.interval)
            time.sleep(max(0.0, soonest - time.monotonic()))
            interval = self.pace.busy_interval if is_busy else self.pace.interval
            with self._changed:
                if not self._woken and not self._stopped:
                    self._changed.wait(max(0.0, began + interval - time.monotonic()))
                self._woken = False
                if self._stopped or not self._readers:
                    self._shown.clear()
                    self._thread = None
                    return
            began, spent_before = time.monotonic(), time.thread_time()
            had_news, has_news = has_news, False
            try:
                has_news = self.round()
            except Exception:
                log.exception("a round of the live streams failed; the next one follows")
            spent = time.thread_time() - spent_before

    def round(self) -> bool:
        """Write whatever is due to everybody; return whether a page had changed. The hub's thread
        does it; a test may."""
        now = self._clock()
        with self._changed:
            readers = dict(self._readers)
        asked: dict[Hashable, bool] = {}
        with pausing():
            for stream, reader in readers.items():
                pause()
                if not self._may_stay(stream, reader, now, asked):
                    stream.end()
                    self.leave(stream)
                elif self._is_stuck(stream, reader, now):
                    stream.drop()
                    self.leave(stream)
            return self._show(readers, now)

    def _of(self, readers: Iterable[Stream]) -> list[Stream]:
        with self._changed:
            return [stream for stream in readers if stream in self._readers]

    def _may_stay(
        self, stream: Stream, reader: _Reader, now: float, asked: dict[Hashable, bool]
    ) -> bool:
        """Tell whether a stream goes on. `asked` are the guests that this round has looked up."""
        if now - reader.since >= self.pace.lifetime:
            return False
        if now - reader.asked_at < self.pace.ask_again:
            return True
        reader.asked_at = now
        if stream.guest not in asked:
            asked[stream.guest] = _is_welcome(stream)
        return asked[stream.guest]

    def _is_stuck(self, stream: Stream, reader: _Reader, now: float) -> bool:
        unsent = stream.unsent
        if not unsent or unsent != reader.unsent:
            reader.unsent, reader.moved_at = unsent, now
        return now - reader.moved_at >= self.pace.patience and unsent > 0

    def _show(self, readers: dict[Stream, _Reader], now: float) -> bool:
        """Make the pages anew that have changed, and write each as soon as it is made."""
        groups: dict[Hashable, list[Stream]] = {}
        for stream in self._of(readers):
            groups.setdefault(stream.view, []).append(stream)
        self._shown = {view: shown for view, shown in self._shown.items() if view in groups}
        marks: dict[Hashable, Hashable] = {}
        has_news, failed = False, ""
        for view, members in groups.items():
            try:
                has_news |= self._renew(view, members, marks)
            except Exception as error:  # noqa: BLE001 - one view that fails must not stop the others
                failed = type(error).__name__
            for stream in self._of(members):
                pause()
                self._write(stream, readers[stream], now)
        if failed and failed != self._fails:
            # Once: a database that is away is away for many rounds.
            log.warning("a live page cannot be made for now: %s", failed)
        self._fails = failed
        return has_news

    def _renew(
        self, view: Hashable, members: list[Stream], marks: dict[Hashable, Hashable]
    ) -> bool:
        """Make a page anew where it may have changed; return whether it has."""
        topic = members[0].topic
        if topic not in marks:
            marks[topic] = members[0].mark()
        shown = self._shown.get(view)
        if shown is not None and shown.mark == marks[topic]:
            return False
        html = self._made(members)
        if html is None:
            return False
        if shown is None:
            self._shown[view] = _Shown(marks[topic], Page(html))
            return False
        shown.mark = marks[topic]
        if html == shown.page.html:
            return False
        shown.page = shown.page.followed_by(html)
        return True

    def _made(self, members: list[Stream]) -> bytes | None:
        for member in members:
            made = member.render()
            if made is not None:
                return made
            # Who may no longer see the page cannot have it made for the others.
            member.end()
            self.leave(member)
        return None

    def _write(self, stream: Stream, reader: _Reader, now: float) -> None:
        shown = self._shown.get(stream.view)
        page = shown.page if shown else None
        if page is not None and page is not reader.page:
            if stream.unsent:
                # It gets the newest page once it has taken this one.
                return
            has_before = reader.page is not None and page.before is reader.page
            sent, reader.page = stream.send(page.news if has_before else page.whole), page
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
