"""How waitress reads requests and writes answers, where a gateway needs it otherwise.

Callers send large bodies, bytes that are no ASCII, and sometimes nothing good; whatever they are
told, at an address of the API it has Telegram's shape.
"""

import contextlib
import json
import re
import socket
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from waitress.channel import ClientDisconnected
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import FixedStreamReceiver
from waitress.task import ErrorTask
from waitress.task import Task as WaitressTask
from waitress.utilities import RequestEntityTooLarge

from tgm.dropin import tokens
from tgm.eventloop import Wakeful
from tgm.live.channel import HoldingTask
from tgm.proxy.callers import shows_key
from tgm.proxy.target import PREFIX
from tgm.quick import QuickChannel
from tgm.settings import MEBIBYTE
from tgm.shared.marks import FOR_PROGRAMS, GATEWAY, SOURCE
from tgm.testsend.uploads import is_upload

# A body that is too large is read and thrown away up to here, since a caller that is still sending
# when the connection closes would never see the answer.
_DRAINED_BYTES = 256 * MEBIBYTE
# What anybody may send without showing an API key: screens take no more.
_STRANGERS_BYTES = MEBIBYTE
_LONGEST_NUMBER = 18  # digits
_FOR_PROGRAMS = re.compile(rf"\S* (?:https?://[^/ ]*)?(?:{'|'.join(FOR_PROGRAMS)})".encode())
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


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
class _Limit:
    """Stands for waitress's settings once the head is read: only the body's limit counts then."""

    max_request_body_size: int


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """Hands a request whose body is too large to the application, which can say so properly.

    waitress itself would answer in plain text, without the limit headers of a known key. The
    application sees a CONTENT_LENGTH beyond its limit and an empty body.
    """

    adj: Any
    body_rcv: Any
    error: Any
    expect_continue: bool
    is_discarding = False
    refused_length = 0

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

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head. Bytes beyond ASCII in the address are the caller's, and stay."""
        first, end, rest = header_plus.partition(b"\r\n")
        escaped = _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], first)
        try:
            super().parse_header(escaped + end + rest)
        except ValueError:
            # Python reads no number of thousands of digits.
            raise ParsingError("Content-Length is invalid") from None
        if len(self.headers.get("CONTENT_LENGTH", "")) > _LONGEST_NUMBER:
            raise ParsingError("Content-Length is invalid")
        if not self.chunked and self.content_length == 0:
            # Nothing is to come that could wait for a sign. waitress would wait for it for ever.
            self.expect_continue = False
        if escaped != first:
            self.request_uri = first.split(b" ")[1].decode("latin-1")
        self.refused_length = self.adj.max_request_body_size
        if not self._may_be_large():
            # The application refuses by the true length; this only keeps the body off the disk.
            self.adj = _Limit(_STRANGERS_BYTES + 1)

    def _may_be_large(self) -> bool:
        """Whether a body beyond what strangers may send is taken in."""
        if self.path.startswith(PREFIX):
            return shows_key(self.headers)
        if tokens.shows_key(self.path):
            return True
        # `tgm.server.build` puts it there: only the application knows its own cookies.
        signed_in = getattr(self.adj, "signed_in", None)
        if signed_in is None or not is_upload(self.path):
            return False
        return bool(signed_in(self.headers.get("COOKIE", "")))

    def _discard(self) -> None:
        limit: int = self.adj.max_request_body_size
        asks_first, self.expect_continue = self.expect_continue, False
        self.is_discarding = True
        self.headers["CONNECTION"] = "close"
        nowhere = _Nowhere(self.refused_length)
        if self.chunked:
            self.body_rcv.buf.close()
            self.body_rcv.buf = nowhere
        else:
            self.body_rcv = FixedStreamReceiver(self.content_length, nowhere)
            self.headers["CONTENT_LENGTH"] = str(max(self.content_length, self.refused_length))
        if asks_first or self.content_length > limit + _DRAINED_BYTES:
            return
        self.completed = False
        self.adj = _Limit(limit + _DRAINED_BYTES)


class _OurHead(WaitressTask):  # type: ignore[misc]
    """Writes our headers as the documentation does: waitress would have X-Ratelimit-Limit.

    They leave together with the start of the body: one packet, and one turn less to wait for.
    """

    def build_response_header(self) -> bytes:
        """Lay the head of the answer before what is written next."""
        head: bytes = super().build_response_header()
        head = head.replace(b"X-Ratelimit-", b"X-RateLimit-").replace(b"X-Tgm-", b"X-TGM-")
        self.channel.head = head
        return b""

    def write(self, data: bytes) -> None:
        """Write some of the body, after the head."""
        super().write(data)
        self.channel.send_head()


class Task(_OurHead, HoldingTask):
    """Lets the application answer."""


class RefusalTask(_OurHead, ErrorTask):  # type: ignore[misc]
    """Says what is wrong with a request that cannot be read, in Telegram's shape below /api/."""

    def execute(self) -> None:
        """Write the answer and close the connection."""
        first_line: bytes = getattr(self.request, "first_line", b"")
        if not _FOR_PROGRAMS.match(first_line):
            super().execute()
            return
        error = self.request.error
        description = f"{error.reason}: {error.body}"
        content = {"ok": False, "error_code": error.code, "description": description}
        body = json.dumps(content).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.response_headers.append((SOURCE, GATEWAY))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(QuickChannel):
    """A connection that reads requests and writes answers our way."""

    parser_class = RequestParser
    task_class = Task
    error_task_class = RefusalTask
    # A caller who reads nothing for so long holds a thread for nothing.
    unread_seconds = 30.0
    # Of an answer that has not begun to leave.
    head = b""

    def __init__(
        self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None
    ) -> None:
        super().__init__(Wakeful(server, self), sock, addr, adj, map=map)
        server.asyncore.begin(self)

    @property
    def descriptor(self) -> int | None:
        """The socket's number, None once it is closed."""
        number: int | None = self._fileno
        return number

    def write_soon(self, data: Any) -> int:
        """Send what fits, and keep the rest for later; a head that is laid ready goes first."""
        if data and self.head and isinstance(data, bytes):
            self.head, data = b"", self.head + data
        written: int = super().write_soon(data)
        return written

    def send_head(self) -> None:
        """Send a head that nothing has been written after."""
        head, self.head = self.head, b""
        super().write_soon(head)

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait until the caller has read enough, as waitress does, but not for ever.

        waitress has no limit here: a hundred callers who read nothing would hold every thread.
        """
        most: int = self.adj.outbuf_high_watermark
        with self.outbuf_lock:
            self._flush_exception(self._flush_some, do_close=False)
            while self.connected and self.total_outbufs_len > most:
                left = self.total_outbufs_len
                self.server.pull_trigger()
                if (
                    not self.outbuf_lock.wait(self.unread_seconds)
                    and self.total_outbufs_len >= left
                ):
                    # poll() tells nothing of a socket whose buffers stay full: end it from here.
                    with contextlib.suppress(OSError):
                        self.socket.shutdown(socket.SHUT_RDWR)
                    self.will_close = True
                    raise ClientDisconnected
