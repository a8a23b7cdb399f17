"""HTTP to addresses that a team has named: never into the private network by accident.

A URL is checked when it is saved and again when the socket opens. The second time counts: the name
is resolved once, each of its addresses is checked, and the socket goes to one of just these, so a
name that changes its mind in between gets nothing. Redirects are never followed.
"""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from tgm.security.addresses import Network, is_allowed, within
from tgm.security.tls import tls_context
from tgm.security.wire import Answer, Line, LineBroken, Lines
from tgm.shared.errors import N_, Invalid

KEPT_BYTES = 4096
Resolve = Callable[[str, int], Sequence[str]]
_VISIBLE = re.compile(r"[!-~]+")


class Failed(StrEnum):
    """Why no answer came; also the kind of error that an attempt keeps."""

    ADDRESS = "address_refused"
    NAME = "name_unknown"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    PROTOCOL = "protocol"


class UrlRefused(Invalid):
    """A URL that TGM will not send to. Its text never repeats the URL, which may hold a secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message, field="url")


class OutboundFailed(Exception):
    """No answer came. `kind` is one of `Failed`; whether the receiver acted is unknown."""

    def __init__(self, kind: str) -> None:
        self.kind = str(kind)
        super().__init__(self.kind)


@dataclass(frozen=True)
class Received:
    """An answer. `body` is its start; `is_whole` tells whether that is all of it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    milliseconds: int
    is_whole: bool = True


def resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Outbound:
    """The way to the receivers, with connections kept alive. Safe to share between threads."""

    def __init__(
        self,
        allowed_networks: Sequence[Network],
        *,
        connect_seconds: float = 5,
        total_seconds: float = 15,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` is for receivers whose authority the system does not know."""
        self._networks = tuple(allowed_networks)
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._resolve = resolve
        self._tls = tls or tls_context()
        self._lines = Lines()

    def check(self, url: str) -> str | None:
        """Check a URL before it is saved; nothing is sent. Raises UrlRefused.

        Returns a sentence of warning where the name does not resolve at present, else None.
        """
        parts = _parse(url)
        if parts.scheme == "http" and not self._networks:
            raise UrlRefused(_PLAIN)
        try:
            addresses = self._addresses(parts, time.monotonic() + self._connect_seconds)
        except OutboundFailed as error:
            if error.kind != Failed.ADDRESS:
                return _UNKNOWN
            if parts.scheme == "http":
                raise UrlRefused(_PLAIN) from None
            raise UrlRefused(_PRIVATE) from None
        return None if addresses else _UNKNOWN

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, keep: int = KEPT_BYTES
    ) -> Received:
        """Send the exact bytes and return the answer, whatever its status. Raises OutboundFailed.

        The status decides: where it has come, a body that breaks off or takes too long is no
        failure. At most `keep` bytes of the body are returned.
        """
        begun = time.monotonic()
        try:
            parts = _parse(url)
        except UrlRefused:
            raise OutboundFailed(Failed.ADDRESS) from None
        deadline = begun + self._total_seconds
        request = _request(parts, headers, body)
        try:
            answer = self._exchange(parts, request, deadline, keep)
        except LineBroken as error:
            raise OutboundFailed(Failed(error.kind)) from None
        return Received(
            answer.status,
            answer.headers,
            answer.body,
            round((time.monotonic() - begun) * 1000),
            answer.is_whole,
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._lines.close()

    def _exchange(self, parts: SplitResult, request: bytes, deadline: float, keep: int) -> Answer:
        place = (parts.scheme, parts.hostname or "", _port(parts))
        line = self._lines.take(place)
        if line is not None:
            try:
                return self._lines.ask(place, line, request, deadline, keep)
            except LineBroken as error:
                # The receiver has closed an idle connection just as we used it, and has read
                # nothing: that is no failure of its own.
                if not error.was_stale:
                    raise
        return self._lines.ask(place, self._open(parts, deadline), request, deadline, keep)

    def _open(self, parts: SplitResult, deadline: float) -> Line:
        until = min(deadline, time.monotonic() + self._connect_seconds)
        addresses = self._addresses(parts, until)
        if not addresses:
            raise OutboundFailed(Failed.NAME)
        context = self._tls if parts.scheme == "https" else None
        for position, address in enumerate(addresses, 1):
            # Those that are left share what time is left.
            share = (until - time.monotonic()) / (len(addresses) - position + 1)
            try:
                return Line.open(address, _port(parts), parts.hostname or "", context, share)
            except LineBroken:
                if position == len(addresses):
                    raise
        raise AssertionError("unreachable")

    def _addresses(self, parts: SplitResult, until: float) -> list[str]:
        """Return the name's addresses, each of them checked. Raises OutboundFailed."""
        found = self._looked_up(parts.hostname or "", _port(parts), until)
        rule = within if parts.scheme == "http" else is_allowed
        if not all(rule(address, self._networks) for address in found):
            raise OutboundFailed(Failed.ADDRESS)
        return found

    def _looked_up(self, host: str, port: int, until: float) -> list[str]:
        found: list[str] = []
        failed: list[str] = []

        def look() -> None:
            try:
                found.extend(self._resolve(host, port))
            except (OSError, UnicodeError):
                failed.append(host)

        # The system's resolver takes no time-out, so it is left behind where it is too slow.
        thread = threading.Thread(target=look, name="tgm-resolve", daemon=True)
        thread.start()
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            raise OutboundFailed(Failed.TIMEOUT)
        if failed or not found:
            raise OutboundFailed(Failed.NAME)
        return found


_PLAIN = N_("Use an https:// address: plain http is only for WEBHOOK_ALLOWED_NETWORKS.")
_PRIVATE = N_(
    "This address leads into a private network: only WEBHOOK_ALLOWED_NETWORKS may be reached there."
)
_UNKNOWN = N_("This name does not lead anywhere yet: deliveries fail until it does.")
_MALFORMED = N_("This is not a web address such as https://example.com/hook.")


def _parse(url: str) -> SplitResult:
    if len(url) > 2048 or not _VISIBLE.fullmatch(url):
        raise UrlRefused(_MALFORMED)
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and _port(parts)
    except ValueError:
        good = False
    if not good:
        raise UrlRefused(_MALFORMED)
    if "@" in parts.netloc:
        raise UrlRefused(N_("Leave the user name and password out of the address."))
    return parts


def _port(parts: SplitResult) -> int:
    return (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port


def _request(parts: SplitResult, headers: Mapping[str, str], body: bytes) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
