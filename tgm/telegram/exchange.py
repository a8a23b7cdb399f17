"""A request and its answer by a connection that never blocks, without a thread."""

import ssl
import time
from collections.abc import Callable

from tgm.shared.responses import Response
from tgm.shared.waiting import Waiter
from tgm.telegram.answer import Answer
from tgm.telegram.connection import BLOCK_BYTES, Connection
from tgm.telegram.errors import Failure, TelegramUnreachable, before_answer
from tgm.telegram.upstream import Pool

_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Done = Callable[[Answer | TelegramUnreachable], None]


class Exchange:
    """One call on its way, in the waiter's thread. See `tgm.shared.waiting.Awaited`."""

    def __init__(
        self, connection: Connection, pool: Pool, waiter: Waiter, longest: int, done: Done
    ) -> None:
        """`done` is called once, with an answer that is here in full or up to `longest` bytes, or
        with what went wrong."""
        self.descriptor = connection.socket.fileno()
        self.until = 0.0
        self._connection = connection
        self._pool = pool
        self._waiter = waiter
        self._longest = longest
        self._done = done
        self._response = Response()
        self._unsent = b""
        self._is_tls = isinstance(connection.socket, ssl.SSLSocket)

    def begin(self, request: bytes) -> None:
        """Send the request, or as much of it as there is room for."""
        self._unsent = request
        self.until = time.monotonic() + self._pool.timeout
        try:
            to_write = self._send()
        except (OSError, ValueError) as error:
            self._fail(before_answer(error))
            return
        self._waiter.wait_for(self, to_write=to_write)

    def ready(self) -> None:
        """Send what is left, and read what has come."""
        try:
            if self._unsent:
                self._waiter.wait_for(self, to_write=self._send())
            is_here = self._receive()
        except (OSError, ValueError) as error:
            self._fail(Failure.BROKEN if self._response.has_head else before_answer(error))
            return
        if is_here:
            self._end()

    def late(self) -> None:
        """Give up."""
        self._fail(Failure.TIMEOUT)

    def _send(self) -> bool:
        """Send what there is room for; return whether the rest waits for more of it."""
        try:
            sent = self._connection.socket.send(self._unsent)
        except ssl.SSLWantReadError:
            # First the other side has to say something.
            return False
        except _NOT_YET:
            return True
        except (BrokenPipeError, ConnectionResetError):
            # There may be an answer all the same: see `Connection.ask`.
            sent = len(self._unsent)
        self._unsent = self._unsent[sent:]
        return bool(self._unsent)

    def _receive(self) -> bool:
        """Read; return whether there is an answer now that can be passed on."""
        response = self._response
        while True:
            try:
                block = self._connection.socket.recv(BLOCK_BYTES)
            except _NOT_YET:
                return False
            self.until = time.monotonic() + self._pool.timeout
            if not block:
                if response.end():
                    return True
                raise ConnectionResetError("the connection ended before the answer")
            response.feed(block)
            if response.is_complete or response.unread > self._longest:
                return True
            if not self._is_tls:
                # The loop tells again. Of TLS, more may be here already where nobody sees it.
                return False

    def _end(self) -> None:
        self._waiter.forget(self)
        if self._response.status < 200:
            # Another answer follows it on this connection, and would be the next caller's.
            self._connection.close()
            self._done(TelegramUnreachable(Failure.PROTOCOL))
            return
        # An answer may come before the request has gone: what would follow on the connection would
        # be taken for the rest of that.
        is_reusable = not self._unsent
        self._done(Answer(self._response, self._connection, self._pool, is_reusable=is_reusable))

    def _fail(self, failure: Failure) -> None:
        self._waiter.forget(self)
        self._connection.close()
        self._done(TelegramUnreachable(failure))
