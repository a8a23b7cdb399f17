"""A browser's EventSource, by hand: it reads a stream off the wire, chunk frames and all."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from flask.testing import FlaskClient

from tests.fakes.serving import Served

PATIENCE = 20.0
# A session belongs to one browser: this is what the test client calls itself.
AGENT = f"Werkzeug/{version('werkzeug')}"


def cookie_of(client: FlaskClient) -> str:
    """Return the signed-in browser's cookie, as it would send it."""
    cookie = client.get_cookie("tgm_session")
    assert cookie is not None
    return f"tgm_session={cookie.value}"


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, f"it did not come to this: {what}"
        time.sleep(0.01)


@dataclass
class Listener:
    """An open stream. `got` is its body so far, without the frames."""

    connection: socket.socket
    head: str
    _raw: bytearray = field(default_factory=bytearray)
    got: bytes = b""
    is_over: bool = False

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    @property
    def pages(self) -> list[str]:
        """The events that are complete, their lines put together again."""
        found = re.findall(rb"(?:data: [^\n]*\n)+\n", self.got)
        return [
            "\n".join(line[6:].decode() for line in one.strip(b"\n").split(b"\n")) for one in found
        ]

    def read(self) -> None:
        """Take what is there, waiting for something."""
        block = self.connection.recv(65536)
        self.is_over = self.is_over or not block
        self._raw += block
        self._unframe()

    def wait_for(self, holds: Callable[["Listener"], object]) -> "Listener":
        """Read on until something holds."""
        while not holds(self):
            assert not self.is_over, f"the stream has ended: {self.got[-200:]!r}"
            self.read()
        return self

    def wait_for_page(self, words: str) -> "Listener":
        """Read on until a page has come that says `words`."""
        return self.wait_for(lambda own: any(words in page for page in own.pages))

    def wait_for_end(self) -> None:
        while not self.is_over:
            self.read()

    def _unframe(self) -> None:
        while (end := self._raw.find(b"\r\n")) >= 0:
            size = int(self._raw[:end], 16)
            if len(self._raw) < end + 2 + size + 2:
                return
            if size == 0:
                self.is_over = True
            self.got += bytes(self._raw[end + 2 : end + 2 + size])
            del self._raw[: end + 2 + size + 2]


def ask(
    served: Served, target: str, cookie: str, http: str = "1.1", more: bytes = b"", **options: Any
) -> Listener:
    """Ask for a page's events, and read the head of the answer."""
    connection = socket.create_connection(served.address, timeout=PATIENCE)
    for name, value in options.items():
        connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    request = (
        f"GET {target} HTTP/{http}\r\nHost: tgm\r\nAccept: text/event-stream\r\n"
        f"User-Agent: {AGENT}\r\nCookie: {cookie}\r\n\r\n"
    )
    connection.sendall(request.encode() + more)
    raw = bytearray()
    while b"\r\n\r\n" not in raw:
        block = connection.recv(1)
        assert block, "no answer"
        raw += block
    return Listener(connection, raw.decode())


@contextmanager
def listening(served: Served, target: str, cookie: str) -> Iterator[Listener]:
    """Listen to a page until the end of the block."""
    listener = ask(served, target, cookie)
    try:
        assert listener.status == 200, listener.head
        yield listener
    finally:
        listener.connection.close()
