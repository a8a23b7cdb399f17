"""Waiting for connections with epoll, in place of waitress's own loop.

waitress asks every connection at every turn what it waits for, and takes two turns for each
request. Here a connection is asked when something has happened to it, and all of them once a
second, which closes the idle ones and would catch whatever was missed.
"""

import contextlib
import logging
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.server import TcpWSGIServer

from tgm.dispatcher import Dispatcher
from tgm.shared.waiting import Awaited

log = logging.getLogger(__name__)

_READ = select.EPOLLIN
_WRITE = select.EPOLLOUT
_ROUND_SECONDS = 1.0
# As long as waitress waits for its threads.
_GRACE_SECONDS = 5.0


class EventLoop:
    """Stands where a waitress server has its module `asyncore`; see `tgm.shared.waiting.Waiter`."""

    close_all = staticmethod(wasyncore.close_all)

    def __init__(self, server: TcpWSGIServer, threads: Dispatcher) -> None:
        """`threads` do what may take its time."""
        self.in_thread = threads.add_job
        self._sockets: dict[int, Any] = server._map
        self._wake = server.trigger.pull_trigger
        self._epoll = select.epoll()
        # What each descriptor is armed for, and whose it is: numbers are used again. Only the
        # loop's own thread writes here.
        self._armed: dict[int, tuple[Any, int]] = {}
        self._touched: deque[Any] = deque()
        # Sockets that are nobody's connection, such as those to Telegram.
        self._awaited: dict[int, Awaited] = {}
        self._is_ending = False
        self.turns = 0
        self._next_round = 0.0

    def loop(self, **_options: Any) -> None:
        """Serve until no socket is left, or until `end`. Raises SystemExit then."""
        try:
            while self._sockets and not self._is_ending:
                self._turn()
            until = time.monotonic() + _GRACE_SECONDS
            while self._awaited and time.monotonic() < until:
                self._turn()
        finally:
            self._epoll.close()
        if self._is_ending:
            raise SystemExit(0)

    def end(self) -> None:
        """Stop serving, once what is awaited has come. A signal's handler may call it: it must not
        break off an answer in the middle, as an exception would."""
        self._is_ending = True
        self._wake()

    def _turn(self) -> None:
        now = time.monotonic()
        if now >= self._next_round:
            self._next_round = now + _ROUND_SECONDS
            self._round(now)
        self.turns += 1
        for descriptor, flags in self._epoll.poll(self._next_round - now):
            awaited = self._awaited.get(descriptor)
            if awaited is not None:
                self._tell(awaited, awaited.ready)
            else:
                self._serve(descriptor, flags)
        while self._touched:
            channel = self._touched.popleft()
            descriptor = channel.descriptor
            if self._sockets.get(descriptor) is channel:
                self._arm(descriptor, channel)

    def _round(self, now: float) -> None:
        for descriptor, each in list(self._sockets.items()):
            self._arm(descriptor, each)
        for awaited in list(self._awaited.values()):
            if awaited.until <= now:
                self._tell(awaited, awaited.late)

    def _tell(self, awaited: Awaited, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception:
            # One that fails must not end the process, and with it all others.
            log.exception("what was awaited has come, and could not be taken")
            self.forget(awaited)

    def wait_for(self, each: Awaited, *, to_write: bool = False) -> None:
        """Tell `each` when there is something to read; with `to_write`, when there is room."""
        flags = _READ | _WRITE if to_write else _READ
        if each.descriptor in self._awaited:
            self._epoll.modify(each.descriptor, flags)
        else:
            self._epoll.register(each.descriptor, flags)
            self._awaited[each.descriptor] = each

    def forget(self, each: Awaited) -> None:
        """Tell it nothing more."""
        if self._awaited.pop(each.descriptor, None) is not None:
            self._epoll.unregister(each.descriptor)

    def begin(self, channel: Any) -> None:
        """Hear of a new connection, in the loop's own thread."""
        self._touched.append(channel)

    def touch(self, channel: Any) -> None:
        """Hear from any thread that a connection may wait for something else now."""
        if channel.writable() or channel.descriptor not in self._armed:
            self._touched.append(channel)
            self._wake()

    def _serve(self, descriptor: int, flags: int) -> None:
        each = self._sockets.get(descriptor)
        if each is None:
            self._disarm(descriptor)
        elif (may_read := each.readable()) or each.writable():
            # What has come while an answer is still on its way out waits for its turn.
            wasyncore.readwrite(each, flags if may_read else flags & ~_READ)
            if self._sockets.get(descriptor) is each:
                self._arm(descriptor, each)
            else:
                self._disarm(descriptor)
        else:
            # A request of its is being answered, so what has come waits. Disarmed first, and then
            # asked again: whoever ends the answer meanwhile does it the other way round.
            self._disarm(descriptor)
            self._arm(descriptor, each)

    def _arm(self, descriptor: int, each: Any) -> None:
        wanted = (each.readable() and _READ) | (bool(each.writable()) and _WRITE)
        owner, armed = self._armed.get(descriptor, (None, 0))
        if armed and owner is not each:
            self._disarm(descriptor)
            armed = 0
        # Reading stays armed during an answer: mostly nothing comes until it is there.
        if wanted == armed or (not wanted and armed == _READ):
            return
        if not wanted:
            self._disarm(descriptor)
            if each.readable() or each.writable():
                # Meanwhile whoever ended the answer has found it armed, and said nothing.
                self._touched.append(each)
            return
        try:
            if armed:
                self._epoll.modify(descriptor, wanted)
            else:
                self._epoll.register(descriptor, wanted)
        except OSError:
            # A thread has just closed it.
            self._armed.pop(descriptor, None)
        else:
            self._armed[descriptor] = each, wanted

    def _disarm(self, descriptor: int) -> None:
        if self._armed.pop(descriptor, None):
            # The kernel forgets a closed socket by itself.
            with contextlib.suppress(OSError):
                self._epoll.unregister(descriptor)


class Wakeful:
    """A server as one of its connections sees it: it hears which one wakes it."""

    def __init__(self, server: Any, channel: Any) -> None:
        self._server = server
        self._channel = channel
        self.add_task = server.add_task
        self.application = server.application

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def pull_trigger(self) -> None:
        """Have the loop look at the connection, if there is anything new to see."""
        self._server.asyncore.touch(self._channel)
