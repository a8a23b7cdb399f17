"""One connection to Telegram, or to another Bot API server."""

import select
import socket
from collections.abc import Iterable

from tgm.shared.responses import Response

# Telegram closes idle connections after about a minute; one closed under a request is a lost call.
IDLE_SECONDS = 15
BLOCK_BYTES = 64 * 1024


class Connection:
    """An open connection that remembers since when it has been idle."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._patience = connected.gettimeout()
        self.idle_since = 0.0
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)

    def is_usable(self, now: float) -> bool:
        """Tell whether the other side seems to be still there.

        A socket with something to read while nothing was asked has been closed, or is out of step.
        """
        return now - self.idle_since <= IDLE_SECONDS and not self._poll.poll(0)

    def be_patient(self, seconds: float) -> None:
        """Wait up to so many seconds at each step from now on; with 0, never."""
        if self._patience != seconds:
            self.socket.settimeout(seconds)
            self._patience = seconds

    def ask(self, head: bytes, body: Iterable[bytes] = ()) -> Response:
        """Send a request; return the answer as soon as its headers are there.

        Raises OSError, and ValueError for what is no answer.
        """
        self._send(head, body)
        response = Response()
        while not response.has_head:
            block = self.socket.recv(BLOCK_BYTES)
            if not block:
                raise ConnectionResetError("the connection ended before the answer")
            response.feed(block)
        return response

    def _send(self, head: bytes, body: Iterable[bytes]) -> None:
        waiting = head
        try:
            for block in body:
                # The head travels with the start of the body: one packet where both are small.
                self.socket.sendall(waiting + block if waiting else block)
                waiting = b""
            if waiting:
                self.socket.sendall(waiting)
        except (BrokenPipeError, ConnectionResetError):
            # Telegram may answer, and close, before it has read a body it will not take: its answer
            # is worth more than ours. If there is none, reading it fails the same way.
            return

    def close(self) -> None:
        """Close it."""
        self.socket.close()
