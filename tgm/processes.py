"""Several processes that serve one address together: made here, looked after, and ended.

They are forked from a process that has imported the application, made none of it and started no
thread. So they share that memory, and one that is made later runs the same code and settings.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from tgm import box
from tgm.shared.counted import Counts
from tgm.spreading import Spread

log = logging.getLogger(__name__)

# One that has served for so long has not ended because of its start.
_STEADY_SECONDS = 30.0
_MOST_FAILURES = 8
_LONGEST_PAUSE = 30.0
# Longer than `tgm.server` takes to finish what is under way.
_GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """What a serving process is among those that serve with it.

    The first one does what is to be done once. `announces` says whether it tells the address.
    `listener` is the socket that all share; None where the process has to open its own. They also
    share `counts`, and how their connections are `spread`.
    """

    number: int = 0
    listener: socket.socket | None = None
    announces: bool = True
    spread: Spread | None = field(default=None, repr=False)
    counts: Counts | None = field(default=None, repr=False)
    ready: int | None = field(default=None, repr=False)

    @property
    def is_first(self) -> bool:
        """Whether it does what is to be done once."""
        return self.number == 0

    def fit(self, server: Any) -> None:
        """Have a waitress server take its share of the connections, and no more."""
        if self.spread is not None:
            self.spread.fit(server, self.number)

    def leave(self) -> None:
        """Tell the others that this one takes no more connections."""
        if self.spread is not None:
            self.spread.leave(self.number)

    def say_ready(self) -> None:
        """Tell the process that looks after this one that it serves."""
        if self.ready is not None:
            os.write(self.ready, b".")
            os.close(self.ready)


@dataclass(eq=False)
class _Seat:
    """One of the places: who is there, or when somebody is to be."""

    number: int
    start_at: float | None = None
    pid: int | None = None
    begun_at: float = 0.0
    readiness: int | None = None
    failures: int = 0


class Processes:
    """Makes the processes and looks after them until they are told to end."""

    def __init__(self, count: int, listener: socket.socket) -> None:
        self._listener = listener
        self._spread = Spread(count)
        self._counts = Counts(shared=True)
        self._seats = [_Seat(number) for number in range(count)]
        self._parent = os.getpid()
        self._have_served = False
        self._code: int | None = None
        """The exit code, once they are being ended."""
        self._kill_at: float | None = None
        self._woken, self._waking = os.pipe()

    def run(self) -> Place:
        """Return in each process that is to serve. In this one never: raises SystemExit."""
        os.set_blocking(self._waking, False)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # Only so that the call of select ends.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        # The first one alone at first: it makes what a new installation needs.
        self._seats[0].start_at = time.monotonic()
        while True:
            for seat in self._seats:
                self._reap(seat)
            if self._code is not None and all(seat.pid is None for seat in self._seats):
                raise SystemExit(self._code)
            now = time.monotonic()
            if self._code is None:
                for seat in self._seats:
                    if seat.pid is None and seat.start_at is not None and seat.start_at <= now:
                        place = self._start(seat)
                        if place is not None:
                            return place
            elif self._kill_at is not None and now >= self._kill_at:
                self._kill()
            self._wait()

    def _start(self, seat: _Seat) -> Place | None:
        """Fork. Return the place in the new process, None in this one."""
        ours = {signal.SIGTERM, signal.SIGINT}
        # A signal between the fork and the new process's own handlers would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, ours)
        if self._code is not None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)
            return None
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Ctrl-C reaches the whole group: the parent passes it on, once, as SIGTERM.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)
            for descriptor in (reading, self._woken, self._waking, *self._readinesses()):
                os.close(descriptor)
            box.end_with(self._parent)
            announces = seat.number == 0 and not self._have_served
            return Place(
                seat.number, self._listener, announces, self._spread, self._counts, writing
            )
        os.close(writing)
        seat.pid, seat.readiness = pid, reading
        seat.begun_at = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)
        return None

    def _readinesses(self) -> list[int]:
        return [seat.readiness for seat in self._seats if seat.readiness is not None]

    def _wait(self) -> None:
        """Wait for a signal, for a process that says it serves, or until something is due."""
        starts = [seat.start_at for seat in self._seats if seat.pid is None]
        due = starts if self._code is None else [self._kill_at]
        timeout = min(
            (max(0.0, at - time.monotonic()) for at in due if at is not None), default=None
        )
        found, _, _ = select.select([self._woken, *self._readinesses()], [], [], timeout)
        if self._woken in found:
            os.read(self._woken, 4096)
        for seat in self._seats:
            if seat.readiness in found:
                self._hear(seat)

    def _hear(self, seat: _Seat) -> None:
        assert seat.readiness is not None, "it was waited for"  # noqa: S101
        serves = os.read(seat.readiness, 1) == b"."
        os.close(seat.readiness)
        seat.readiness = None
        if serves and not self._have_served:
            self._have_served = True
            for other in self._seats[1:]:
                other.start_at = time.monotonic()

    def _reap(self, seat: _Seat) -> None:
        """Notice that a process has ended, and settle what follows."""
        if seat.pid is None:
            return
        pid, status = os.waitpid(seat.pid, os.WNOHANG)
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        if seat.readiness is not None:
            self._hear(seat)
        seat.pid, seat.start_at = None, None
        self._spread.leave(seat.number)
        if self._code is not None:
            return
        how = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        if not self._have_served:
            # It has said why itself, unless it was killed.
            if code < 0:
                log.error("the first process was ended %s before it served", how)
            self._end(1)
            return
        now = time.monotonic()
        is_steady = now - seat.begun_at >= _STEADY_SECONDS
        seat.failures = 1 if is_steady else seat.failures + 1
        if seat.failures >= _MOST_FAILURES:
            log.error(
                "process %d has ended %d times soon after its start, now %s: giving up",
                seat.number,
                seat.failures,
                how,
            )
            self._end(1)
            return
        pause = 0.0 if seat.failures == 1 else min(_LONGEST_PAUSE, 0.5 * 2 ** (seat.failures - 2))
        seat.start_at = now + pause
        log.error(
            "process %d (%d) has ended %s; another one starts in %g s", seat.number, pid, how, pause
        )

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._end(0)

    def _end(self, code: int) -> None:
        """Tell every process to end."""
        if self._code is None:
            self._code = code
            self._kill_at = time.monotonic() + _GRACE_SECONDS
        for seat in self._seats:
            if seat.pid is not None:
                _signal(seat.pid, signal.SIGTERM)

    def _kill(self) -> None:
        self._kill_at = None
        for seat in self._seats:
            if seat.pid is not None:
                log.error("process %d (%d) does not end, and is killed", seat.number, seat.pid)
                _signal(seat.pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    # It may have ended a moment ago.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
