"""Serving with waitress, fitted to a gateway: many connections, large bodies, little memory."""

import contextlib
import logging
import resource
import signal
import socket
from types import FrameType
from typing import Any

from flask import Flask
from waitress.server import TcpWSGIServer, create_server

from tgm import database
from tgm.auth import service as people
from tgm.auth import setup_link
from tgm.connections import Channel
from tgm.extensions import runtime
from tgm.proxy.housekeeping import jobs
from tgm.settings import Settings
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
