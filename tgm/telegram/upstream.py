"""Where Telegram is: its address, the way through a proxy, and connections kept alive to it."""

import http.client
import select
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tgm.security.secret import Secret
from tgm.security.tls import tls_context
from tgm.telegram.errors import Failure, TelegramUnreachable

CONNECT_SECONDS = 10
# Telegram closes idle connections after about a minute; one closed under a request is a lost call.
IDLE_SECONDS = 15
BLOCK_BYTES = 64 * 1024
_CLOUD = "api.telegram.org"


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


class Connection(http.client.HTTPConnection):
    """An HTTP connection that remembers since when it has been idle."""

    idle_since = 0.0

    def _encode_request(self, request: str) -> bytes:
        # The caller's query goes on byte for byte, its bytes beyond ASCII included.
        return request.encode("latin-1")

    def is_usable(self, now: float) -> bool:
        """Tell whether the other side seems to be still there.

        A socket with something to read while nothing was asked has been closed, or is out of step.
        """
        if self.sock is None or now - self.idle_since > IDLE_SECONDS:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)


class SecureConnection(http.client.HTTPSConnection, Connection):
    """The same over TLS."""


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
        self.path_prefix = route.base_url if whole else base.path
        self.headers = _proxy_credentials(route.proxy_url) if whole else {}

    def take(self) -> Connection:
        """Return a connected connection. Raises TelegramUnreachable."""
        now = time.monotonic()
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._fresh()
            if connection.is_usable(now):
                return connection
            connection.close()

    def _fresh(self) -> Connection:
        connection = self._connect()
        try:
            connection.connect()
        except ssl.SSLError:
            raise TelegramUnreachable(Failure.TLS, is_sent=False) from None
        except TimeoutError:
            raise TelegramUnreachable(Failure.TIMEOUT, is_sent=False) from None
        except (OSError, http.client.HTTPException):
            raise TelegramUnreachable(Failure.CONNECT, is_sent=False) from None
        connection.sock.settimeout(self.timeout)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer has been read to its end."""
        connection.idle_since = time.monotonic()
        with self._lock:
            if not self._is_closed:
                self._idle.append(connection)
                return
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


def _connector(route: Route) -> Callable[[], Connection]:
    base = urlsplit(route.base_url)
    proxy = urlsplit(route.proxy_url.value) if route.proxy_url else None
    first = proxy or base
    host, port = first.hostname or "", first.port
    timeout = min(CONNECT_SECONDS, route.timeout)
    if base.scheme == "http":
        return lambda: Connection(host, port, timeout=timeout, blocksize=BLOCK_BYTES)
    context = tls_context(route.ca_file)

    def connect() -> Connection:
        connection = SecureConnection(
            host, port, timeout=timeout, blocksize=BLOCK_BYTES, context=context
        )
        if proxy is not None:
            credentials = _proxy_credentials(route.proxy_url)
            connection.set_tunnel(base.hostname or "", base.port or 443, credentials)
        return connection

    return connect
