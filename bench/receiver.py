"""A team's own program, as fast as can be: notes when each update comes, and answers.

python -m bench.receiver PORT answers|fails|hangs

GET /seen tells what has come so far: pairs of seconds since 1970 and update_id.
"""

import asyncio
import json
import re
import sys
import time

_UPDATE_ID = re.compile(rb'"update_id": ?(\d+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWERS = {
    "answers": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "fails": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "hangs": b"",
}


class Receiver(asyncio.Protocol):
    """One connection. All of them share what was seen."""

    def __init__(self, answer: bytes, seen: list[tuple[float, int]]) -> None:
        self._answer = answer
        self._seen = seen
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hear of the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        now = time.time()
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n") + 4) > 3:
            length = _LENGTH.search(self._waiting, 0, end)
            whole = end + (int(length[1]) if length else 0)
            if len(self._waiting) < whole:
                return
            request, self._waiting = self._waiting[:whole], self._waiting[whole:]
            self._take(request, now)

    def _take(self, request: bytes, now: float) -> None:
        assert self._transport is not None
        if request.startswith(b"GET"):
            told = json.dumps(self._seen).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told)
            )
            return
        found = _UPDATE_ID.search(request)
        self._seen.append((now, int(found[1]) if found else 0))
        self._transport.write(self._answer)


async def main() -> None:
    """Serve until SIGTERM."""
    _, port, how = sys.argv
    seen: list[tuple[float, int]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Receiver(_ANSWERS[how], seen), "127.0.0.1", int(port), backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
