"""Serving with waitress, fitted to a gateway: many connections, large bodies, little memory."""

import contextlib
import logging
import resource
import signal
import socket
from dataclasses import dataclass
from io import BytesIO
from types import FrameType
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import FixedStreamReceiver
from waitress.server import TcpWSGIServer, create_server
from waitress.task import WSGITask
from waitress.utilities import RequestEntityTooLarge

from tgm import database
from tgm.auth import service as people
from tgm.auth import setup_link
from tgm.extensions import runtime
from tgm.proxy.housekeeping import jobs
from tgm.settings import MEBIBYTE, Settings
from tgm.shared.errors import Conflict
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


class _Nowhere:
    """Stands where waitress keeps a body, and keeps nothing.

    Its length is the body's so far, but never less than one that is refused: chunk frames count
    against waitress's limit, and a body that was thrown away must not pass for a short one.
    """

    def __init__(self, at_least: int) -> None:
        self._at_least = at_least
        self._size = 0

    def __len__(self) -> int:
        return max(self._size, self._at_least)

    def append(self, data: bytes) -> None:
        self._size += len(data)

    def getfile(self) -> BytesIO:
        return BytesIO()

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class _Patience:
    max_request_body_size: int


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """Hands a request whose body is too large to the application, which can say so properly.

    waitress itself would answer in plain text, without the limit headers of a known key. The
    application sees a CONTENT_LENGTH beyond the limit and an empty body.
    """

    adj: Any
    body_rcv: Any
    error: Any
    expect_continue: bool
    is_discarding = False

    def received(self, data: bytes) -> int:
        """Take some bytes of the request; return how many."""
        consumed: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self.error = None
            if self.is_discarding:
                # It never ends: answer now, whether or not the caller is still sending.
                self.headers["CONTENT_LENGTH"] = str(len(self.body_rcv))
            else:
                self._discard()
        return consumed

    def _discard(self) -> None:
        limit: int = self.adj.max_request_body_size
        asks_first, self.expect_continue = self.expect_continue, False
        self.is_discarding = True
        self.headers["CONNECTION"] = "close"
        if self.chunked:
            self.body_rcv.buf.close()
            self.body_rcv.buf = _Nowhere(limit)
        else:
            self.body_rcv = FixedStreamReceiver(self.content_length, _Nowhere(limit))
        if asks_first or self.content_length > limit + _DRAINED_BYTES:
            return
        self.completed = False
        self.adj = _Patience(limit + _DRAINED_BYTES)


class Task(WSGITask):  # type: ignore[misc]
    """Writes our headers as the documentation does: waitress would have X-Ratelimit-Limit."""

    def build_response_header(self) -> bytes:
        """Return the head of the answer."""
        head: bytes = super().build_response_header()
        return head.replace(b"X-Ratelimit-", b"X-RateLimit-").replace(b"X-Tgm-", b"X-TGM-")


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that reads requests and writes answers our way."""

    parser_class = RequestParser
    task_class = Task


def build(app: Flask, settings: Settings) -> TcpWSGIServer:
    """Return a bound server that is not running yet. Raises Conflict where the port is taken."""
    _raise_descriptor_limit()
    # One address: a name with several would make waitress bind each, on ports of their own.
    host = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][4][0]
    listen = f"[{host}]:{settings.port}" if ":" in str(host) else f"{host}:{settings.port}"
    try:
        server: TcpWSGIServer = create_server(app, _start=False, **options(settings), listen=listen)
    except OSError as error:
        raise Conflict(
            "%(listen)s cannot be used (%(why)s). Stop the program that has it, or set PORT.",
            listen=listen,
            why=error.strerror,
        ) from None
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


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
