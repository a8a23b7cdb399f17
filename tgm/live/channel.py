"""Leaving a connection open without a thread: what waitress lacks for that.

The server puts `HOLD` into the environ. An answer's iterable that calls it, while it is read, hands
itself over: its first blocks go out as usual, then the thread returns to the pool, and whoever it
belongs to writes on through a `Line`. With `whole`, nothing goes out yet, and the `Line` gives the
status and headers, too. Where there is no `HOLD`, the server is another one, and the iterable has
to end.
"""

import contextlib
import socket
import time
from typing import Any, Protocol

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import WSGITask

HOLD = "tgm.hold"


class Held(Protocol):
    """What a connection is kept open for."""

    def attach(self, line: "Line") -> None:
        """Take over; called once, from the thread that leaves."""

    def lost(self) -> None:
        """Hear that the connection is gone. From any thread, with no lock of the hub held."""


class _Leave(BaseException):
    """Carries a thread past the end of waitress's `service`, which would close the connection.

    Not an Exception: waitress catches those, and answers with an error.
    """

    def __init__(self, task: "HoldingTask", held: Held) -> None:
        super().__init__()
        self.task = task
        self.held = held


class HoldingTask(WSGITask):  # type: ignore[misc]
    """Lets the application's answer stay open after its thread has left."""

    _held: Held | None = None
    _is_whole = False

    def execute(self) -> None:
        """Run the application."""
        self.get_environment()[HOLD] = self._hold
        super().execute()

    def finish(self) -> None:
        """End the answer, unless it stays open."""
        if self._held is None:
            super().finish()
        elif not self.wrote_header and not self._is_whole:
            self.write(b"")

    def service(self) -> None:
        """Answer. Raises `_Leave` where the answer stays open."""
        super().service()
        if self._held is not None:
            raise _Leave(self, self._held)

    def answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        """Write the whole answer, instead of what the application had begun."""
        self.status, self.response_headers = status, headers
        self.content_length = len(body)
        self.write(body)

    def _hold(self, held: Held, *, whole: bool = False) -> None:
        self._held, self._is_whole = held, whole


class Line:
    """An open answer that anybody may write to, from any thread, without ever waiting."""

    def __init__(self, channel: "HoldingChannel", task: HoldingTask) -> None:
        self._channel = channel
        self._task = task
        self._is_chunked = bool(task.chunked_response)

    @property
    def unsent(self) -> int:
        """How many bytes the reader has not taken yet, beside what the kernel holds."""
        return int(self._channel.total_outbufs_len)

    def send(self, data: bytes) -> bool:
        """Write `data`; return False where that cannot be: the reader is gone, or far behind."""
        return self._channel.push(b"%x\r\n%s\r\n" % (len(data), data) if self._is_chunked else data)

    def end(self) -> None:
        """Finish the answer: the connection closes once the reader has all of it."""
        if self._is_chunked:
            self._channel.push(b"0\r\n\r\n")
        self._channel.release()

    def answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        """Give the whole answer where nothing of it has gone out; the connection goes on."""
        with contextlib.suppress(ClientDisconnected):
            self._task.answer(status, headers, body)
        if self._task.close_on_finish:
            self._channel.release()
        else:
            self._channel.resume()

    def drop(self) -> None:
        """Break the connection off, whatever is still unsent."""
        self._channel.break_off()


class HoldingChannel(HTTPChannel):  # type: ignore[misc]
    """A connection that may stay open without a thread.

    While it does, its request stays in `requests`: so waitress counts it as busy, closes it for no
    idleness, and starts nothing that comes after it on the same connection.
    """

    requests: list[Any]
    _held: Held | None = None

    def service(self) -> None:
        """Answer one request."""
        try:
            super().service()
        except _Leave as leave:
            self._keep(leave.held, Line(self, leave.task))

    def _keep(self, held: Held, line: Line) -> None:
        self._held = held
        held.attach(line)
        if not self.connected:
            # It closed meanwhile, and whoever closed it may not have seen what is held.
            self._forget()
        self.server.pull_trigger()

    def readable(self) -> bool:
        """Tell whether to read. From a held one too, since that is how its end is noticed.

        One further request may come in, and waits; nobody needs more.
        """
        if self._held is None:
            return bool(super().readable())
        return not (self.will_close or self.close_when_flushed or len(self.requests) > 1)

    def push(self, data: bytes) -> bool:
        """Write without waiting; return False where that cannot be."""
        with self.outbuf_lock:
            if self.will_close or self.close_when_flushed:
                return False
            if self.total_outbufs_len > self.adj.outbuf_high_watermark:
                # Here waitress would wait for the reader.
                return False
            try:
                self.write_soon(data)
            except ClientDisconnected:
                return False
        return True

    def release(self) -> None:
        """Close once everything is sent."""
        with self.requests_lock:
            self.close_when_flushed = True
            for request in self.requests:
                request.close()
            self.requests = []
        self._held = None
        # From here on it counts as idle: a reader who never takes the rest is closed for that.
        self.last_activity = time.time()
        self._wake()

    def resume(self) -> None:
        """Go on with the next request, as waitress does after an answer."""
        self._held = None
        self.last_activity = time.time()
        with self.requests_lock:
            self.requests.pop(0).close()
            if self.connected and self.requests:
                self.server.add_task(self)
        self._wake()

    def break_off(self) -> None:
        """Close now."""
        # poll() tells nothing of a socket whose buffers stay full: end it from here.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.will_close = True
        self._wake()

    def del_channel(self, map: Any = None) -> None:
        """Forget the connection: every way to its end leads through here."""
        super().del_channel(map)
        self._forget()

    def _forget(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.lost()

    def _wake(self) -> None:
        # The server may have closed its trigger already: then it is about to close all else.
        with contextlib.suppress(OSError, IndexError):
            self.server.pull_trigger()
