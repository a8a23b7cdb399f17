"""The team's program: takes deliveries, a little slowly, and remembers them in their order."""

import random
import socket
import threading
import time
from collections import defaultdict
from contextlib import suppress

from tests.crash.feeder import Mark, mark_of

_SLOWEST_SECONDS = 0.02
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Receiver:
    """A server on loopback that answers 200 to everything."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.count = 0
        self.seen: dict[tuple[int, int], list[int]] = defaultdict(list)
        """By bot and chat: the numbers in the order of their arrival, repeats and all."""
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take nothing more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def first_seen(self) -> set[Mark]:
        """Return every update that has arrived."""
        with self._lock:
            return {
                Mark(bot, chat, number)
                for (bot, chat), numbers in self.seen.items()
                for number in numbers
            }

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, suppress(OSError, ValueError):
            body = _body(connection)
            with self._lock:
                self.in_flight += 1
                mark = mark_of(body)
                self.seen[mark.bot, mark.chat].append(mark.number)
                self.count += 1
            try:
                # Long enough that a kill finds some of them under way.
                time.sleep(random.uniform(0, _SLOWEST_SECONDS))
                connection.sendall(_ANSWER)
            finally:
                with self._lock:
                    self.in_flight -= 1


def _body(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next(int(value) for name, _, value in lines if name == b"content-length")
    while len(body) < length:
        body += _some(connection)
    return body


def _some(connection: socket.socket) -> bytes:
    block = connection.recv(65536)
    if not block:
        raise ValueError("the sender broke off")
    return block
