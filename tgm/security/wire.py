"""One HTTP connection at a time: opened to a given address, asked, kept alive, given up.

Every wait counts against one deadline, so that a receiver which sends a byte now and then cannot
hold a thread for longer than one which sends nothing.
"""

import contextlib
import http.client
import io
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

Place = tuple[str, str, int]
# Receivers often close an idle connection after five seconds; an old one may lead to where the
# name pointed once.
_IDLE_SECONDS = 4.0
_OLDEST_SECONDS = 60.0
_MOST_IDLE = 32
_Kind = Literal["connect", "tls", "timeout", "broken", "protocol"]


class LineBroken(Exception):
    """The connection failed. `was_stale`: it had been idle, and was closed before any answer."""

    def __init__(self, kind: _Kind, *, was_stale: bool = False) -> None:
        self.kind = kind
        self.was_stale = was_stale
        super().__init__(kind)


@dataclass(frozen=True)
class Answer:
    """Status, headers and the start of the body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    is_whole: bool


class _Incoming(io.RawIOBase):
    """Reads a socket up to the deadline, and tells whether anything has come."""

    def __init__(self, line: "Line") -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.socket.settimeout(self._line.left())
        count = self._line.socket.recv_into(buffer)
        self._line.has_answered = self._line.has_answered or count > 0
        return count


class _Source:
    """What http.client reads an answer from."""

    def __init__(self, line: "Line") -> None:
        self._line = line

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._line))


class Line:
    """An open connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.deadline = 0.0
        self.has_answered = False
        self.is_used = False
        self.opened_at = self.idle_since = time.monotonic()

    @classmethod
    def open(
        cls, address: str, port: int, name: str, tls: ssl.SSLContext | None, seconds: float
    ) -> "Line":
        """Connect to the address; the certificate must be for `name`. Raises LineBroken."""
        until = time.monotonic() + seconds
        try:
            connected = socket.create_connection((address, port), max(seconds, 0.001))
        except TimeoutError:
            raise LineBroken("timeout") from None
        except OSError:
            raise LineBroken("connect") from None
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                connected.settimeout(max(until - time.monotonic(), 0.001))
                connected = tls.wrap_socket(connected, server_hostname=name)
        except TimeoutError:
            connected.close()
            raise LineBroken("timeout") from None
        except (ssl.SSLError, ValueError):
            connected.close()
            raise LineBroken("tls") from None
        except OSError:
            connected.close()
            raise LineBroken("broken") from None
        return cls(connected)

    def left(self) -> float:
        """Return the seconds left. Raises TimeoutError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def send(self, data: bytes) -> None:
        """Send everything, within the deadline."""
        rest = memoryview(data)
        while rest:
            self.socket.settimeout(self.left())
            rest = rest[self.socket.send(rest) :]

    def is_usable(self, now: float) -> bool:
        """Tell whether the other side seems to be still there, and out of nothing's step."""
        if now - self.idle_since > _IDLE_SECONDS or now - self.opened_at > _OLDEST_SECONDS:
            return False
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return not poll.poll(0)


class Lines:
    """Idle connections by place: scheme, host and port."""

    def __init__(self) -> None:
        self._idle: dict[Place, list[Line]] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def take(self, place: Place) -> Line | None:
        """Return a connection that was used before, None where there is none."""
        while True:
            with self._lock:
                lines = self._idle.get(place)
                line = lines.pop() if lines else None
            if line is None or line.is_usable(time.monotonic()):
                return line
            line.socket.close()

    def ask(self, place: Place, line: Line, request: bytes, deadline: float, keep: int) -> Answer:
        """Send the request and read the answer. Raises LineBroken."""
        line.deadline, line.has_answered = deadline, False
        is_reusable = False
        try:
            answer, is_reusable = _exchange(line, request, keep)
        except TimeoutError:
            raise LineBroken("timeout") from None
        except (http.client.RemoteDisconnected, OSError):
            raise LineBroken("broken", was_stale=line.is_used and not line.has_answered) from None
        except (http.client.HTTPException, ValueError):
            raise LineBroken("protocol") from None
        finally:
            if not is_reusable or not self._keep(place, line):
                line.socket.close()
        return answer

    def close(self) -> None:
        """Close every idle connection, and from now on those that are given back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, {}
        for line in (line for lines in idle.values() for line in lines):
            line.socket.close()

    def _keep(self, place: Place, line: Line) -> bool:
        line.is_used, line.idle_since = True, time.monotonic()
        with self._lock:
            lines = self._idle.setdefault(place, [])
            if self._is_closed or len(lines) >= _MOST_IDLE:
                return False
            lines.append(line)
            return True


def _exchange(line: Line, request: bytes, keep: int) -> tuple[Answer, bool]:
    # A receiver may answer, and close, before it has read the whole body: its answer counts. If
    # there is none, reading it fails the same way.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        line.send(request)
    response = http.client.HTTPResponse(_Source(line), method="POST")  # type: ignore[arg-type]
    response.begin()
    body, is_whole = _start_of(response, keep)
    headers = response.getheaders()
    is_reusable = is_whole and not response.will_close
    response.close()
    return Answer(response.status, headers, body, is_whole), is_reusable


def _start_of(response: http.client.HTTPResponse, keep: int) -> tuple[bytes, bool]:
    """Return the first `keep` bytes, and whether they are all. What breaks off keeps its start."""
    blocks: list[bytes] = []
    left = keep + 1
    try:
        while left > 0 and (block := response.read1(left)):
            blocks.append(block)
            left -= len(block)
        is_whole = left > 0 and not response.length
    except (OSError, ValueError, http.client.HTTPException):
        is_whole = False
    return b"".join(blocks)[:keep], is_whole
