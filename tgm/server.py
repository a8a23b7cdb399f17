"""Serving with waitress, fitted to a gateway: many connections, large bodies, little memory."""

import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Iterator
from types import FrameType
from typing import Any

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer, create_server
from waitress.utilities import RequestEntityTooLarge

from tgm import database
from tgm.auth import service as people
from tgm.auth import setup_link
from tgm.extensions import runtime
from tgm.proxy.housekeeping import jobs
from tgm.settings import MEBIBYTE, Settings
from tgm.worker.loop import Loop

log = logging.getLogger(__name__)

# With more callers than threads, those beyond wait in the queue; the kernel holds the rest.
_CONNECTIONS = 2000
_BACKLOG = 2048
_DESCRIPTORS = 2 * _CONNECTIONS + 1024
# What one download may have in memory between Telegram and a slow caller.
_UNSENT_BYTES = 256 * 1024
_BLOCK_BYTES = 64 * 1024
# A body that is too large is read and thrown away up to here, since a caller that is still sending
# when the connection closes would never see the answer.
_DRAINED_BYTES = 256 * MEBIBYTE


class _Drain:
    """Takes a body that nobody wants. Stands where waitress would keep it."""

    error = None

    def __init__(self, length: int) -> None:
        self._left = length
        self.completed = False

    def received(self, data: bytes) -> int:
        taken = min(self._left, len(data))
        self._left -= taken
        self.completed = self._left == 0
        return taken


class RequestParser(HTTPRequestParser):
    """Hands a request whose body is too large to the application, which can say so properly.

    waitress itself would answer in plain text, without the limit headers of a known key. The
    application sees the true CONTENT_LENGTH and an empty body.
    """

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self.error = None
            self.headers["CONNECTION"] = "close"
            self._drop_body()
        elif self.completed and isinstance(self.body_rcv, _Drain):
            self.body_rcv = None
        return consumed

    def _drop_body(self) -> None:
        if self.body_rcv is not None:
            self.body_rcv.getbuf().close()
        self.body_rcv = None
        if self.chunked:
            # How much is still to come is unknown: answer at once.
            self.headers["CONTENT_LENGTH"] = str(self.body_bytes_received)
        elif self.content_length <= _DRAINED_BYTES and not self.expect_continue:
            self.body_rcv = _Drain(self.content_length)
            self.completed = False
            # The limit was judged; from here on the body only has to pass.
            self.adj = _Unlimited
        self.expect_continue = False


class _Unlimited:
    max_request_body_size = float("inf")


class Channel(HTTPChannel):
    """A connection that reads requests with our parser."""

    parser_class = RequestParser


def build(app: Flask, settings: Settings) -> TcpWSGIServer:
    """Return a bound server that is not running yet. Raises OSError where the port is taken."""
    _raise_descriptor_limit()
    # One address: a name with several would make waitress bind each, on ports of their own.
    host = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][4][0]
    listen = f"[{host}]:{settings.port}" if ":" in str(host) else f"{host}:{settings.port}"
    server: TcpWSGIServer = create_server(app, _start=False, **options(settings), listen=listen)
    server.channel_class = Channel
    server.accept_connections()
    return server


def options(settings: Settings) -> dict[str, Any]:
    """Return waitress's settings."""
    return {
        "threads": settings.threads,
        "connection_limit": _CONNECTIONS,
        "backlog": _BACKLOG,
        # select() ends the process at the first descriptor past 1023.
        "asyncore_use_poll": True,
        "recv_bytes": _BLOCK_BYTES,
        "inbuf_overflow": _BLOCK_BYTES,
        "outbuf_high_watermark": _UNSENT_BYTES,
        # waitress refuses what reaches the limit, we what exceeds it.
        "max_request_body_size": settings.max_body_bytes + 1,
        "ident": None,
        # ProxyFix reads X-Forwarded-* where proxies are trusted; elsewhere nobody sees them.
        "clear_untrusted_proxy_headers": settings.trusted_proxies == 0,
    }


def serve(app: Flask) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is under way. Prints the address."""
    with app.app_context():
        settings = runtime.settings
        background = Loop(jobs(runtime.request_log, runtime.idempotency))
        server = build(app, settings)
        print(f"TGM is serving on {address(server)}", flush=True)
        if not people.has_users():
            link = address(server) + setup_link.path(app)
            print(f"Nobody can sign in yet. Set TGM up here, once: {link}", flush=True)
    background.start()
    signal.signal(signal.SIGTERM, _stop)
    try:
        server.run()
    finally:
        background.stop()
        with app.app_context():
            runtime.telegram.close()
        database.close(app)


def address(server: TcpWSGIServer) -> str:
    """Return the address that a person on this box can open."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(  # noqa: S104 - shown, not bound
        server.effective_host, server.effective_host
    )
    return (
        f"http://[{host}]:{server.effective_port}"
        if ":" in host
        else (f"http://{host}:{server.effective_port}")
    )


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
