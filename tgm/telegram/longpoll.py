"""getUpdates as a long poll: an answer that may take a minute, and that can be broken off."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator, Sequence

from tgm.telegram.answer import Answer
from tgm.telegram.connection import Connection
from tgm.telegram.errors import Failure, TelegramRefused, TelegramUnreachable
from tgm.telegram.token import BotToken
from tgm.telegram.upstream import Pool, Route

# Telegram answers at the end of the time it was given; the way there and back takes some more.
_GRACE_SECONDS = 15
# A hundred updates, each of which may have a few hundred KiB.
_LARGEST_ANSWER = 64 * 1024 * 1024
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class LongPoll:
    """Asks for one bot's updates, from one thread; `close` may come from another."""

    def __init__(self, route: Route) -> None:
        self._route = route
        # A pool of its own: these connections wait longer than the others may.
        self._pool = Pool(route)
        self._server: str | None = None
        self._connection: Connection | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return "<LongPoll>"

    def ask(
        self, token: BotToken, *, offset: int | None, seconds: int, allowed_updates: Sequence[str]
    ) -> list[bytes]:
        """Wait up to `seconds` for updates, and return each with the bytes that Telegram sent.

        Raises TelegramRefused and TelegramUnreachable, the latter also when it was closed.
        """
        asked = {"timeout": seconds, "allowed_updates": list(allowed_updates)}
        if offset is not None:
            asked["offset"] = offset
        try:
            body = self._call(token, json.dumps(asked).encode(), seconds)
        finally:
            self._connection = None
        return _updates(token, body)

    def _call(self, token: BotToken, body: bytes, seconds: int) -> bytes:
        if token.server != self._server:
            # The bot has moved.
            self._pool.close()
            self._pool, self._server = Pool(self._route.towards(token.server)), token.server
        self._connection = connection = self._pool.take()
        if self._is_closed:
            connection.close()
            raise TelegramUnreachable(Failure.BROKEN)
        try:
            connection.be_patient(seconds + _GRACE_SECONDS)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            head = self._pool.head("POST", f"/bot{token.value}/getUpdates", headers)
            answer = Answer(connection.ask(head, [body]), connection, self._pool)
        # `from None`: the library's own errors quote the address, token and all.
        except TimeoutError:
            connection.close()
            raise TelegramUnreachable(Failure.TIMEOUT) from None
        except (OSError, ValueError):
            connection.close()
            raise TelegramUnreachable(Failure.BROKEN) from None
        with answer:
            found = answer.read_up_to(_LARGEST_ANSWER)
            if not answer.is_complete:
                raise TelegramUnreachable(Failure.PROTOCOL)
            return found

    def close(self) -> None:
        """Break off what is under way, and let nothing new begin."""
        self._is_closed = True
        connection = self._connection
        if connection is not None:
            # The waiting thread wakes up at the end of its stream.
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._pool.close()


def _updates(token: BotToken, body: bytes) -> list[bytes]:
    try:
        answer = json.loads(body)
        if answer["ok"]:
            return list(elements(body.decode(), "result"))
        retry_after = answer.get("parameters", {}).get("retry_after")
        code, description = int(answer["error_code"]), str(answer["description"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # A gateway's error page is no refusal of Telegram's.
        raise TelegramUnreachable(Failure.PROTOCOL) from None
    raise TelegramRefused(
        description.replace(token.value, "[token]"), code=code, retry_after=retry_after
    )


def elements(text: str, name: str) -> Iterator[bytes]:
    """Yield the elements of the list `name` of a JSON object, each as it is written there.

    `text` has been read as JSON already. Raises TypeError where there is no such list.
    """
    at = _skip(text, 0) + 1
    while text[(at := _skip(text, at))] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            yield from _list(text, at)
            return
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        at += text[at] == ","
    raise TypeError(name)


def _list(text: str, at: int) -> Iterator[bytes]:
    if text[at] != "[":
        raise TypeError
    at += 1
    while text[(at := _skip(text, at))] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield text[at:end].encode()
        at = _skip(text, end)
        at += text[at] == ","


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
