"""Answering programs' calls in the thread that waits for the connections.

Handing a request to another thread, and its answer back, costs more than all that TGM does for a
call. So what waits for nothing but Telegram, or the disk's next commit, is answered where it came
in; the rest goes the usual way, see `tgm.front`.
"""

import time
from functools import lru_cache
from typing import Any

from waitress.channel import ClientDisconnected
from waitress.utilities import build_http_date

from tgm import plain
from tgm.live.channel import HOLD, Held, HoldingChannel, Line
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.counted import Counted
from tgm.shared.waiting import WAITER


class QuickLine(Line):
    """A request that is answered at once, or by whoever has its answer later.

    It stands among its channel's requests until then, where waitress counts it.
    """

    def __init__(self, channel: "QuickChannel") -> None:
        self._channel: QuickChannel = channel
        self._held: Held | None = None

    def hold(self, held: Held, *, whole: bool = False) -> None:  # noqa: ARG002 - it always is
        """Keep the request open for `held`."""
        self._held = held

    def begin(self, answer: ProxyAnswer) -> None:
        """Give the answer, or leave that to whoever asks to do it later."""
        body = b"".join(answer.body)
        if self._held is None:
            self.answer(answer.status_line, answer.headers, body)
        else:
            self._held.attach(self)

    def answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        """Give the whole answer; the connection goes on. From any thread."""
        if not any(name == "Content-Length" for name, _ in headers):
            headers = [*headers, ("Content-Length", str(len(body)))]
        self._channel.finish(self, _head(status, headers) + body)

    def stream(self, status: str, headers: list[tuple[str, str]], blocks: Counted) -> None:
        """Give the answer as it comes, in a thread that may wait for its reader; close `blocks` at
        the end."""
        channel = self._channel
        is_sized = any(name == "Content-Length" for name, _ in headers)
        if not is_sized:
            headers = [*headers, ("Transfer-Encoding", "chunked")]
        try:
            channel.write_soon(_head(status, headers))
            for block in filter(None, blocks):
                channel.write_soon(block if is_sized else b"%x\r\n%b\r\n" % (len(block), block))
        except (OSError, ClientDisconnected):
            # Without its end, so that nobody takes it for whole.
            channel.release()
        except BaseException:
            channel.release()
            raise
        else:
            channel.finish(self, b"" if is_sized else b"0\r\n\r\n")
        finally:
            blocks.close()

    def close(self) -> None:
        """End: waitress tells each of its requests."""


class QuickChannel(HoldingChannel):
    """A connection whose plain calls are answered in the loop's own thread."""

    # A head whose body many programs send by itself, right behind it.
    _begun = b""

    def received(self, data: bytes) -> bool:
        """Take in what has come: a whole plain call, or something for waitress."""
        if data and not self.request and not self.requests and self.readable():
            begun, self._begun = self._begun, b""
            data = begun + data
            environ = plain.read(data, self.addr[0])
            if environ is plain.UNFINISHED and not begun:
                self._begun = data
                return True
            if environ and self._answers(environ):
                return True
        return bool(super().received(data))

    def _answers(self, environ: dict[str, Any]) -> bool:
        environ[WAITER] = self.server.asyncore
        answer_to = self.server.front.at_once(environ)
        if answer_to is None:
            return False
        line = QuickLine(self)
        environ[HOLD] = line.hold
        self.requests.append(line)
        line.begin(answer_to(environ))
        return True

    def finish(self, line: QuickLine, data: bytes) -> None:
        """Send an answer, and go on with the next request."""
        with self.outbuf_lock:
            if self.connected and data:
                self._send_now(data)
        with self.requests_lock:
            if line in self.requests:
                self.requests.remove(line)
            if self.connected and self.requests:
                self.server.add_task(self)
        self.last_activity = time.time()
        self._wake()

    def _send_now(self, data: bytes) -> None:
        sent = 0
        if not self.total_outbufs_len:
            try:
                sent = self.send(data, do_close=False)
            except OSError:
                self.will_close = True
                return
        if sent < len(data):
            self.outbufs[-1].append(data[sent:])
            self.total_outbufs_len += len(data) - sent


def _head(status: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *[f"{name}: {value}" for name, value in headers]]
    lines.append(f"Date: {_date(int(time.time()))}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1")


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return str(build_http_date(second))
