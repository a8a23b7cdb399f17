"""Telegram's answer as it comes in: status and headers at once, the body as it is read."""

from collections.abc import Iterator
from types import TracebackType

from tgm.shared.responses import Response
from tgm.telegram.connection import BLOCK_BYTES, Connection
from tgm.telegram.errors import Failure, TelegramUnreachable
from tgm.telegram.upstream import Pool


class BrokenOff(OSError):
    """The answer ended before its end. An OSError, so that the server closes the caller's
    connection without ending the answer as if it were whole."""


class Answer:
    """An answer whose body is still on the wire. Close it, or use it as a context.

    `length` is the body's size in bytes, None where only the end of the stream tells.
    """

    def __init__(
        self,
        response: Response,
        connection: Connection,
        pool: Pool,
        *,
        is_reusable: bool = True,
    ) -> None:
        """`is_reusable` is false where the connection is for no other call, whatever comes."""
        self.status = response.status
        self.reason = response.reason
        self.headers = response.headers
        self._response = response
        self._connection: Connection | None = connection
        self._pool = pool
        self._is_reusable = is_reusable
        self.length = response.length
        self.is_complete = False

    def __enter__(self) -> "Answer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self) -> bytes:
        """Return some more of the body, b"" at its end. Raises TelegramUnreachable."""
        if self.is_complete:
            return b""
        try:
            while not (block := self._response.take()) and not self._response.is_complete:
                self._receive()
        except TimeoutError:
            self.close()
            raise TelegramUnreachable(Failure.TIMEOUT) from None
        except (OSError, ValueError):
            self.close()
            raise TelegramUnreachable(Failure.BROKEN) from None
        if self._response.is_complete:
            self.is_complete = not block
            # The connection is free for the next call as soon as the answer is here.
            self._release(reusable=self._is_reusable and self._response.keeps_alive)
        return block

    def _receive(self) -> None:
        connection = self._connection
        if connection is None:
            raise ConnectionResetError("the answer has been given up")
        block = connection.socket.recv(BLOCK_BYTES)
        if block:
            self._response.feed(block)
        elif not self._response.end():
            raise ConnectionResetError("the answer broke off")

    def read_up_to(self, size: int) -> bytes:
        """Return the body, or a little more than its first `size` bytes if it is longer.

        `is_complete` then tells which. Raises TelegramUnreachable where it is cut short.
        """
        blocks = []
        total = 0
        while total <= size and (block := self.read()):
            blocks.append(block)
            total += len(block)
        return b"".join(blocks)

    def is_here(self, size: int) -> bool:
        """Whether all of the body is here, `size` bytes at most, so that reading waits for nothing.
        Asked before anything is read."""
        return self._response.is_complete and self._response.unread <= size

    def be_patient(self) -> None:
        """From now on wait for what is still to come, in a thread."""
        if self._connection is not None:
            self._connection.be_patient(self._pool.timeout)

    def as_stream(self, start: bytes) -> "Stream":
        """Return the body as blocks: `start`, which has been read already, then what is left."""
        return Stream(self, start)

    def close(self) -> None:
        """Give the connection up, unless the answer was read to its end."""
        self._release(reusable=False)

    def _release(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if reusable:
            self._pool.give_back(connection)
        else:
            connection.close()


class Stream(Iterator[bytes]):
    """A body in blocks. Raises BrokenOff where it is cut short.

    No generator: one that was never begun would not give its connection up when it is closed.
    """

    def __init__(self, answer: Answer, start: bytes) -> None:
        self._answer = answer
        self._start = start

    def __next__(self) -> bytes:
        block, self._start = self._start, b""
        try:
            block = block or self._answer.read()
        except TelegramUnreachable as error:
            raise BrokenOff(str(error.failure)) from None
        if not block:
            raise StopIteration
        return block

    def close(self) -> None:
        """Give the connection up, unless the answer was read to its end."""
        self._answer.close()
