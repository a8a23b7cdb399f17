"""A real HTTP server on loopback that plays Telegram's Bot API.

It records the raw bytes it gets. By itself it answers like Telegram for the bots it knows; a test
can script other answers, byte for byte, and can hold a call until it says so.
"""

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fakes.listening import Listener, shut

TOKEN = "123456789:AAtestTokenOfTheFakeTelegram_0123456"
OTHER_TOKEN = "987654321:AAotherTokenOfTheFakeTelegram_012345"


@dataclass(frozen=True)
class Recorded:
    """A request as it came over the wire. `body` is as sent, chunk frames and all."""

    verb: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value, None when it was not sent."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    @property
    def method(self) -> str:
        """The Bot API method that was called, "" for a file."""
        parts = urlsplit(self.target).path.split("/")
        return parts[2] if len(parts) > 2 and parts[1].startswith("bot") else ""


@dataclass(frozen=True)
class Reply:
    """What goes back over the wire: `raw` as it is, then the connection is closed if `close`.

    With `gate`, the reply waits until the test opens it.
    """

    raw: bytes
    close: bool = False
    gate: threading.Event | None = None


def reply(
    body: bytes | dict[str, Any] | list[Any],
    status: int = 200,
    *,
    headers: dict[str, str] | None = None,
    gate: threading.Event | None = None,
) -> Reply:
    """Make an ordinary reply with a Content-Length; a dict or list goes as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines.update(headers or {})
    head = f"HTTP/1.1 {status} Scripted\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
    return Reply(head.encode("latin-1") + b"\r\n" + content, gate=gate)


def chunked(body: bytes, *, size: int = 1000, status: int = 200, whole: bool = True) -> Reply:
    """Make a chunked reply; without `whole` it breaks off before the last chunk."""
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n"
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return Reply(head.encode() + framed + (b"0\r\n\r\n" if whole else b""), close=not whole)


def refusal(status: int, description: str, **parameters: object) -> Reply:
    """Make an error as Telegram would."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    headers = {}
    if parameters:
        body["parameters"] = parameters
    if "retry_after" in parameters:
        headers["Retry-After"] = str(parameters["retry_after"])
    return reply(body, status, headers=headers)


class FakeTelegram(Listener):
    """The server. Use it as a context; `url` is its base address.

    `bots` are those it knows, by token; `files` the downloads, by path below the bot's folder;
    `photos` the bots' own, by token.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.tls = tls
        self.requests: list[Recorded] = []
        self.bots: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.photos: dict[str, list[dict[str, Any]]] = {}
        self.connections = 0
        self._next: deque[Reply] = deque()
        self._always: dict[str, Reply | Callable[[Recorded], Reply]] = {}
        self._arrival = threading.Condition()
        self._open: set[socket.socket] = set()
        self.add_bot(TOKEN, "Test bot", "tgm_test_bot")

    def add_bot(self, token: str, name: str, username: str) -> None:
        """Let Telegram know one more bot."""
        number = int(token.partition(":")[0])
        self.bots[token] = {
            "id": number,
            "is_bot": True,
            "first_name": name,
            "username": username,
            "can_join_groups": True,
        }

    def add_photo(self, token: str, content: bytes, name: str = "one") -> None:
        """Give a bot a photo, in the three sizes that Telegram makes; all hold the same bytes."""
        self.photos[token] = [
            {
                "file_id": f"{name}-{pixels}",
                "file_unique_id": f"{name}_{pixels}",
                "width": pixels,
                "height": pixels,
                "file_size": len(content),
            }
            for pixels in (160, 320, 640)
        ]
        for size in self.photos[token]:
            self.files[f"photos/{size['file_id']}"] = content

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def replies(self, *replies: Reply) -> None:
        """Script the next answers, in order; afterwards it answers by itself again."""
        self._next.extend(replies)

    def always(self, method: str, answer: Reply | Callable[[Recorded], Reply]) -> None:
        """Script every answer to a method (case as called); a callable makes it."""
        self._always[method] = answer

    def calls(self, method: str) -> list[Recorded]:
        """Return what was recorded of a method, whatever its case."""
        return [r for r in list(self.requests) if r.method.lower() == method.lower()]

    def wait_for(self, count: int, timeout: float = 10) -> None:
        """Wait until `count` requests have arrived."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self.requests) >= count, timeout), (
                f"only {len(self.requests)} of {count} requests reached Telegram"
            )

    def wait_for_call(self, method: str, timeout: float = 10) -> list[Recorded]:
        """Wait until a method has been called, and return its calls."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: bool(self.calls(method)), timeout), (
                f"{method} was not called"
            )
            return self.calls(method)

    def drop_connections(self) -> None:
        """Close every open connection, as Telegram does with idle ones."""
        for connection in list(self._open):
            shut(connection)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.drop_connections()

    def serve(self, connection: socket.socket) -> None:
        self.connections += 1
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True)
        self._open.add(connection)
        try:
            self._converse(connection)
        finally:
            self._open.discard(connection)
            shut(connection)

    def _converse(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while (recorded := read_request(stream)) is not None:
            answer = self._answer(recorded)
            with self._arrival:
                self.requests.append(recorded)
                self._arrival.notify_all()
            if answer.gate is not None:
                answer.gate.wait(30)
            connection.sendall(answer.raw)
            if answer.close:
                return

    def _answer(self, recorded: Recorded) -> Reply:
        # A server asks for photos in its own time: a script for other calls must not run out by it.
        if self._next and recorded.method != "getUserProfilePhotos":
            return self._next.popleft()
        scripted = self._always.get(recorded.method)
        if scripted is not None:
            return scripted if isinstance(scripted, Reply) else scripted(recorded)
        path = unquote(urlsplit(recorded.target).path)
        if path.startswith("/file/bot"):
            return self._file(path.removeprefix("/file/bot"))
        token = path.split("/")[1].removeprefix("bot") if path.startswith("/bot") else ""
        if token not in self.bots:
            return refusal(401, "Unauthorized")
        if recorded.method == "getUserProfilePhotos":
            photos = [self.photos[token]] if token in self.photos else []
            return reply({"ok": True, "result": {"total_count": len(photos), "photos": photos}})
        if recorded.method == "getFile":
            return self._file_facts(recorded)
        return self._call(token, recorded.method.lower())

    def _file_facts(self, recorded: Recorded) -> Reply:
        file_id = json.loads(recorded.body or b"{}").get("file_id")
        path = f"photos/{file_id}"
        if path not in self.files:
            return refusal(400, "Bad Request: invalid file_id")
        return reply({"ok": True, "result": {"file_id": file_id, "file_path": path}})

    def _file(self, path: str) -> Reply:
        token, _, name = path.partition("/")
        content = self.files.get(name)
        if token not in self.bots or content is None:
            return refusal(404, "Not Found")
        return reply(content, headers={"Content-Type": "application/octet-stream"})

    def _call(self, token: str, method: str) -> Reply:
        bot = self.bots[token]
        if method == "getme":
            return reply({"ok": True, "result": bot})
        if method.startswith(("send", "edit")):
            chat = {"id": 123456789, "type": "private", "first_name": "Ani"}
            message = {"message_id": len(self.requests) + 1, "from": bot, "chat": chat, "date": 1}
            return reply({"ok": True, "result": message})
        if method in {"setwebhook", "deletewebhook", "answercallbackquery", "logout", "close"}:
            return reply({"ok": True, "result": True})
        if method == "getupdates":
            return reply({"ok": True, "result": []})
        if method == "getwebhookinfo":
            info = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
            return reply({"ok": True, "result": info})
        return refusal(404, "Not Found")


def read_request(stream: Any) -> Recorded | None:
    """Read one request off a connection, None at its end."""
    first = stream.readline()
    if not first:
        return None
    verb, target, _ = first.decode("latin-1").rstrip("\r\n").split(" ", 2)
    headers: list[tuple[str, str]] = []
    while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    by_name = {name.lower(): value for name, value in headers}
    if "chunked" in by_name.get("transfer-encoding", ""):
        body = b""
        while True:
            size = stream.readline()
            body += size
            block = stream.read(int(size.split(b";")[0], 16) + 2)
            body += block
            if block == b"\r\n":
                break
    else:
        body = stream.read(int(by_name.get("content-length", "0")))
    return Recorded(verb, target, headers, body)
