"""Where Telegram is: its address, the way through a proxy, and connections kept alive to it."""

import http.client
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tgm.security.secret import Secret
from tgm.security.tls import tls_context
from tgm.telegram.connection import IDLE_SECONDS, Connection
from tgm.telegram.errors import Failure, TelegramUnreachable

CONNECT_SECONDS = 10
_CLOUD = "api.telegram.org"
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_cloud(url: str) -> bool:
    """Tell whether this is Telegram's own Bot API server, and not one that somebody runs."""
    return urlsplit(url).hostname == _CLOUD


@dataclass(frozen=True)
class Route:
    """How to get to Telegram. `timeout` is in seconds, for each wait on the socket."""

    base_url: str
    proxy_url: Secret | None = None
    ca_file: Path | None = None
    timeout: float = 65

    def towards(self, server: str | None) -> "Route":
        """Return the way to another Bot API server, None for this one.

        The proxy is the way out to Telegram: a server of one's own is reached without it.
        """
        if server is None:
            return self
        proxy_url = self.proxy_url if is_cloud(server) else None
        return replace(self, base_url=server, proxy_url=proxy_url)


class Pool:
    """Connections to Telegram, the one used last handed out first, so that the rest may go."""

    def __init__(self, route: Route) -> None:
        self.timeout = route.timeout
        self._connect = _connector(route)
        self._idle: list[Connection] = []
        self._is_closed = False
        self._lock = threading.Lock()
        base = urlsplit(route.base_url)
        # Through a proxy, plain HTTP names the whole address in the request line.
        whole = route.proxy_url is not None and base.scheme == "http"
        self._prefix = route.base_url if whole else base.path
        credentials = _proxy_credentials(route.proxy_url) if whole else {}
        self._headers = _lines({"Host": base.netloc.rpartition("@")[2], **credentials})

    def head(self, verb: str, target: str, headers: Mapping[str, str]) -> bytes:
        """Return a request's head. `target` and the headers' values hold bytes as Latin-1.

        Raises ValueError for what would not stay within its line.
        """
        if _BREAKS.search(target):
            raise ValueError("the target does not fit into a line")
        text = f"{verb} {self._prefix}{target} HTTP/1.1\r\n{self._headers}{_lines(headers)}\r\n"
        return text.encode("latin-1")

    def take(self) -> Connection:
        """Return a connected connection. Raises TelegramUnreachable."""
        connection = self._usable() or self._fresh()
        connection.be_patient(self.timeout)
        return connection

    def take_idle(self) -> Connection | None:
        """Return a connection that is open already and never blocks, None where all are in use."""
        connection = self._usable()
        if connection is not None:
            connection.be_patient(0)
        return connection

    def _usable(self) -> Connection | None:
        now = time.monotonic()
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or connection.is_usable(now):
                return connection
            connection.close()

    def _fresh(self) -> Connection:
        try:
            connected = self._connect()
        except ssl.SSLError:
            raise TelegramUnreachable(Failure.TLS, is_sent=False) from None
        except TimeoutError:
            raise TelegramUnreachable(Failure.TIMEOUT, is_sent=False) from None
        except (OSError, http.client.HTTPException):
            raise TelegramUnreachable(Failure.CONNECT, is_sent=False) from None
        return Connection(connected)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer has been read to its end."""
        connection.idle_since = time.monotonic()
        with self._lock:
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()

    def tidy(self) -> None:
        """Close those that nobody has needed for a while: many callers at once leave as many."""
        oldest = time.monotonic() - IDLE_SECONDS
        with self._lock:
            # The one given back last stands last.
            kept = bisect_left(self._idle, oldest, key=lambda each: each.idle_since)
            gone, self._idle[:kept] = self._idle[:kept], []
        for connection in gone:
            connection.close()

    def close(self) -> None:
        """Close every idle connection, and from now on those that are given back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class Pools:
    """A pool for each Bot API server that bots are at."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._pools: dict[str | None, Pool] = {None: Pool(route)}
        self._is_closed = False
        self._lock = threading.Lock()

    def known(self, server: str | None) -> Pool | None:
        """Return the pool of a server that there is one for already."""
        return self._pools.get(server)

    def at(self, server: str | None) -> Pool:
        """Return the pool of a server, None for the route's own."""
        pool = self._pools.get(server)
        if pool is not None:
            return pool
        with self._lock:
            if server not in self._pools:
                self._pools[server] = pool = Pool(self._route.towards(server))
                if self._is_closed:
                    pool.close()
            return self._pools[server]

    def tidy(self) -> None:
        """Close the connections that nobody has needed for a while."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.tidy()

    def close(self) -> None:
        """Close them all, and those that are still to come."""
        with self._lock:
            self._is_closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()


def _proxy_credentials(proxy: Secret | None) -> dict[str, str]:
    parts = urlsplit(proxy.value if proxy else "")
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _lines(headers: Mapping[str, str]) -> str:
    for value in headers.values():
        if _BREAKS.search(value):
            raise ValueError("a header does not fit into its line")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def _connector(route: Route) -> Callable[[], socket.socket]:
    """Return what opens a connection, with the standard library's ways through proxies and TLS."""
    base = urlsplit(route.base_url)
    proxy = urlsplit(route.proxy_url.value) if route.proxy_url else None
    first = proxy or base
    host, port = first.hostname or "", first.port
    timeout = min(CONNECT_SECONDS, route.timeout)
    is_plain = base.scheme == "http"
    context = None if is_plain else tls_context(route.ca_file)

    def connect() -> socket.socket:
        opener = (
            http.client.HTTPConnection(host, port, timeout=timeout)
            if is_plain
            else http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        )
        if proxy is not None and not is_plain:
            credentials = _proxy_credentials(route.proxy_url)
            opener.set_tunnel(base.hostname or "", base.port or 443, credentials)
        opener.connect()
        connected: socket.socket = opener.sock
        return connected

    return connect
