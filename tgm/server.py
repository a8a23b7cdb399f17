"""Serving with waitress, fitted to a gateway: many connections, large bodies, little memory."""

import json
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from flask import Flask
from waitress.server import TcpWSGIServer, create_server

from tgm import box, database
from tgm.auth import service as people
from tgm.auth import setup_link
from tgm.bots import photos
from tgm.connections import Channel
from tgm.dispatcher import Dispatcher
from tgm.dropin import settling
from tgm.eventloop import EventLoop
from tgm.extensions import runtime
from tgm.processes import Place
from tgm.proxy.housekeeping import jobs
from tgm.settings import Settings
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict
from tgm.testsend.uploads import signed_in_by
from tgm.webhook import mover, receiving
from tgm.webhook.owners import Owner
from tgm.worker.loop import Job, Loop

log = logging.getLogger(__name__)

# With more callers than threads, those beyond wait in the queue; the kernel holds the rest.
_CONNECTIONS = 4000
_BACKLOG = 2048
_DESCRIPTORS = 2 * _CONNECTIONS + 1024
# What one download may have in memory between Telegram and a slow caller.
_UNSENT_BYTES = 128 * 1024
_BLOCK_BYTES = 64 * 1024


def listen(settings: Settings) -> socket.socket:
    """Return a socket bound to HOST and PORT. Raises Conflict where that cannot be."""
    # One address: a name with several would need a port on each.
    family, kind, protocol, _, where = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM
    )[0]
    host = str(where[0])
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        shown = f"[{host}]" if ":" in host else host
        raise Conflict(
            "%(listen)s cannot be used (%(why)s). Stop the program that has it, or set PORT.",
            listen=f"{shown}:{settings.port}",
            why=error.strerror,
        ) from None
    return listener


def build(app: Flask, settings: Settings, listener: socket.socket | None = None) -> TcpWSGIServer:
    """Return a server that is not running yet, on `listener` or on a socket of its own.

    Raises Conflict where the port is taken.
    """
    box.raise_descriptor_limit(_DESCRIPTORS)
    sockets = [listener or listen(settings)]
    threads = Dispatcher(settings.threads)
    server: TcpWSGIServer = create_server(
        app, _start=False, _dispatcher=threads, **options(settings), sockets=sockets
    )
    server.asyncore = EventLoop(server, threads)
    server.front = app.extensions["tgm.front"]
    server.channel_class = Channel
    server.adj.signed_in = signed_in_by(app)
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


def serve(app: Flask, *, as_json: bool = False, place: Place | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is under way.

    Prints the address and, until there is a user, the way in; as one JSON object for scripts. With
    a `place` it is one of several processes.
    """
    place = place or Place()
    box.set_aside()
    signal.signal(signal.SIGTERM, _stop)
    with app.app_context():
        settings = runtime.settings
        relay, loops = runtime.relay, _loops(app, place)
        live, polls, sending = runtime.live, runtime.polls, runtime.sending
        server = build(app, settings, place.listener)
        place.fit(server)
        # Before anybody is told the address, and may want to end it.
        _end_by_signals(server.asyncore)
        if place.announces:
            link = None if people.has_users() else address(server) + setup_link.path(app)
            for line in _announcement(address(server), link, as_json):
                print(line, flush=True)
    try:
        for loop in loops:
            loop.start()
        relay.start()
        sending.start(Owner(settings.instance_path, "senders"))
        place.say_ready()
        server.run()
    finally:
        place.leave()
        polls.stop()
        sending.stop()
        live.stop()
        relay.stop()
        for loop in loops:
            loop.stop()
        with app.app_context():
            runtime.telegram.close()
        database.close(app)


def work(app: Flask) -> None:
    """Deliver, poll and purge without serving, until SIGTERM or Ctrl-C."""
    with app.app_context():
        relay, loops = runtime.relay, _loops(app, Place())
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    for loop in loops:
        loop.start()
    relay.start()
    print("TGM is delivering", flush=True)
    stopping.wait()
    relay.stop()
    for loop in loops:
        loop.stop()
    with app.app_context():
        runtime.telegram.close()
    database.close(app)


def _loops(app: Flask, place: Place) -> tuple[Loop, ...]:
    def check_receptions() -> None:
        with app.app_context():
            receiving.check_due(utcnow())

    def settle_programs() -> None:
        with app.app_context():
            settling.settle(utcnow())

    def move_bots() -> None:
        with app.app_context():
            mover.go_on(utcnow())

    def fetch_photo() -> None:
        with app.app_context():
            photos.fetch_due(utcnow())

    # Asking Telegram may take a minute where it is not reachable: nothing else waits for it.
    asking = [
        Job("check how bots receive", 60, check_receptions),
        Job("fetch a bot's photo", 5, fetch_photo),
    ]
    own = [
        *jobs(runtime.request_log, runtime.idempotency),
        *runtime.relay.jobs(),
        *runtime.sending.jobs(),
        Job("end what dead keys receive", 1, settle_programs),
        Job("close idle connections", 5, runtime.telegram.pools.tidy, everywhere=True),
    ]
    moving = [Job("move bots", 1, move_bots)]
    rounds = [
        [job for job in each if place.is_first or job.everywhere] for each in (own, asking, moving)
    ]
    return tuple(Loop(each) for each in rounds if each)


def _announcement(own: str, link: str | None, as_json: bool) -> Iterator[str]:
    if as_json:
        yield json.dumps({"address": own, "setup": link})
        return
    yield f"TGM is serving on {own}"
    if link:
        yield f"Nobody can sign in yet. Set TGM up here, once: {link}"


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


def _end_by_signals(loop: EventLoop) -> None:
    def end(number: int, _frame: FrameType | None) -> None:
        # A service's manager tells each of several processes, and so does the one that made them.
        # Whoever presses Ctrl-C twice does not want to wait.
        again = signal.SIG_IGN if number == signal.SIGTERM else signal.default_int_handler
        signal.signal(number, again)
        loop.end()

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)


def _stop(_number: int, _frame: FrameType | None) -> None:
    # A service's manager tells each of several processes, and so does the one that made them.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)
