"""Running the application under its real server, and speaking plain HTTP to it."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.datastructures import Headers

from tgm import server as tgm_server
from tgm.connections import Channel
from tgm.extensions import runtime


@dataclass(frozen=True)
class Got:
    """An answer as a program sees it."""

    status: int
    headers: Headers
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A server on loopback."""

    url: str

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def call(
        self,
        verb: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Got:
        """Send one request as it is and read the whole answer.

        Raises http.client.IncompleteRead where it breaks off.
        """
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        try:
            connection.putrequest(verb, target, skip_accept_encoding=True)
            sent = dict(headers or {})
            if body is not None and "Transfer-Encoding" not in sent:
                sent.setdefault("Content-Length", str(len(body)))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders()
            if body:
                connection.send(body)
            response = connection.getresponse()
            return Got(response.status, Headers(response.getheaders()), response.read())
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are and read until the server closes."""
        with socket.create_connection(self.address, timeout=30) as connection:
            connection.sendall(request)
            answer = b""
            while block := connection.recv(65536):
                answer += block
            return answer


@contextmanager
def serving(app: Flask, *, unread_seconds: float = 30) -> Iterator[Served]:
    """Run `app` under waitress as `serve` does, in a thread, until the end of the block."""
    with app.app_context():
        server = tgm_server.build(app, runtime.settings)

    class Impatient(Channel):
        pass

    Impatient.unread_seconds = unread_seconds
    server.channel_class = Impatient
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Served(tgm_server.address(server))
    finally:

        def close() -> None:
            # Who answers late wakes the loop: that must not reach whoever has the number by then.
            server.trigger.trigger = -1
            server.asyncore.close_all(server._map)

        # The thread may have closed the trigger before this one has written to it.
        with suppress(OSError):
            server.trigger.pull_trigger(close)
        thread.join(10)
        server.task_dispatcher.shutdown(timeout=10)
        with app.app_context():
            # Its thread would outlive the test, in the sight of the next one.
            runtime.polls.stop()
            runtime.live.stop()
