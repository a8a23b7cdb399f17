"""A real HTTP server on loopback that plays a team's own program, well-behaved or not.

It records the raw bytes and headers it gets. By itself it answers 200 to everything.
"""

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.listening import Listener, shut
from tests.fakes.telegram import Recorded, Reply, read_request, reply

OK = reply(b"", 200)


@dataclass(frozen=True)
class Got:
    """A request as it came. Header names are in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes
    verb: str = "POST"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def update_id(self) -> int:
        return int(self.json["update_id"])


@dataclass(frozen=True)
class Slow(Reply):
    """Sends `raw`, then a byte of `rest` every few milliseconds until it ends or nobody listens."""

    rest: bytes = b""


def answers(status: int = 200, body: bytes | dict[str, Any] = b"", **headers: str) -> Reply:
    """Answer at once. Header names are given with _ for -."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(body, status, headers=names)


def redirects(to: str, status: int = 302) -> Reply:
    return reply(b"", status, headers={"Location": to})


def hangs(until: threading.Event) -> Reply:
    """Say nothing until the event is set, then answer 200."""
    return reply(b"", 200, gate=until)


def breaks_off(after: bytes = b"") -> Reply:
    """Close the connection after some bytes, none by default."""
    return Reply(after, close=True)


def drips(head: bytes, rest: bytes) -> Slow:
    """Send the head at once and the rest byte by byte."""
    return Slow(head, close=True, rest=rest)


class Receiver(Listener):
    """The server. Use it as a context; `url` is its address."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.requests: list[Got] = []
        self.connections = 0
        self.always: Reply | Callable[[Got], Reply] = OK
        self._tls = tls
        self._next: deque[Reply] = deque()
        self._arrival = threading.Condition()
        self._open: set[socket.socket] = set()
        self._closing = threading.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/hook"

    def replies(self, *replies: Reply) -> None:
        """Script the next answers, in order; afterwards `always` counts again."""
        self._next.extend(replies)

    def refuse(self) -> None:
        """Take no connection any more: the port is closed."""
        shut(self._listener)
        self.drop_connections()

    def drop_connections(self) -> None:
        """Close every open connection."""
        for connection in list(self._open):
            shut(connection)

    def wait_for(self, count: int, timeout: float = 20) -> list[Got]:
        """Wait until `count` requests have arrived, and return all that have."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self.requests) >= count, timeout), (
                f"only {len(self.requests)} of {count} requests reached the receiver"
            )
            return list(self.requests)

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self.refuse()

    def serve(self, connection: socket.socket) -> None:
        self.connections += 1
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        self._open.add(connection)
        try:
            with connection.makefile("rb") as stream:
                self._converse(connection, stream)
        finally:
            self._open.discard(connection)
            shut(connection)

    def _converse(self, connection: socket.socket, stream: Any) -> None:
        while (recorded := read_request(stream)) is not None:
            answer = self._take(recorded)
            if answer.gate is not None:
                answer.gate.wait(30)
            connection.sendall(answer.raw)
            if isinstance(answer, Slow):
                self._drip(connection, answer.rest)
            if answer.close:
                return

    def _take(self, recorded: Recorded) -> Reply:
        headers = {name.lower(): value for name, value in recorded.headers}
        got = Got(recorded.target, headers, recorded.body, recorded.verb)
        with self._arrival:
            self.requests.append(got)
            self._arrival.notify_all()
            scripted = self._next.popleft() if self._next else self.always
        return scripted if isinstance(scripted, Reply) else scripted(got)

    def _drip(self, connection: socket.socket, rest: bytes) -> None:
        for byte in rest:
            if self._closing.wait(0.02):
                return
            connection.sendall(bytes([byte]))
