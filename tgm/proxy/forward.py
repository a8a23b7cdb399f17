"""Passing a method call on, byte for byte, and its answer back."""

from collections.abc import Iterator, Mapping
from typing import Any

from tgm.proxy.answers import ProxyAnswer, whole
from tgm.proxy.blocks import Blotted
from tgm.proxy.masking import CHECKED, mask, spellings
from tgm.proxy.target import MethodTarget
from tgm.shared.waiting import Waiter
from tgm.telegram.answer import Answer
from tgm.telegram.client import TelegramClient
from tgm.telegram.connection import BLOCK_BYTES
from tgm.telegram.errors import Failure, TelegramUnreachable
from tgm.telegram.exchange import Done
from tgm.telegram.token import BotToken

# An answer up to this size is here in full before its first byte leaves, so that one cut short can
# still become a 502.
WHOLE_BYTES = 64 * 1024

_RETURNED = ("Content-Type", "Content-Encoding", "Retry-After")
_RETURNED_WITH_FILES = (
    *_RETURNED,
    "Content-Disposition",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
    "Cache-Control",
)


class Body:
    """A request's body, on disk or in memory, that can be read more than once."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._file = environ["wsgi.input"]
        text = environ.get("CONTENT_LENGTH") or ""
        self.is_given = text != ""
        self.length = int(text) if text.isdecimal() else 0

    def blocks(self) -> Iterator[bytes]:
        """Yield the body from where the file stands, in blocks."""
        left = self.length
        while left > 0 and (block := self._file.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            yield block

    def rewind(self) -> None:
        """Go back to the start, to read it again."""
        self._file.seek(0)


def request_headers(environ: Mapping[str, Any], body: Body) -> dict[str, str]:
    """Return the only headers that travel: Content-Type and Content-Length."""
    headers = {}
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    if body.is_given or environ["REQUEST_METHOD"] == "POST":
        headers["Content-Length"] = str(body.length)
    return headers


def call_method(
    telegram: TelegramClient,
    token: BotToken,
    target: MethodTarget,
    environ: Mapping[str, Any],
    *,
    whole_bytes: int = WHOLE_BYTES,
) -> ProxyAnswer:
    """Call the method as the caller did. Raises TelegramUnreachable.

    The answer is whole up to `whole_bytes`, a stream beyond.
    """
    body = Body(environ)
    answer = telegram.open_method(
        token,
        target.method,
        verb=environ["REQUEST_METHOD"],
        query=target.query,
        headers=request_headers(environ, body),
        body=body.blocks(),
    )
    return answered(answer, token, target, whole_bytes)


def begin_method(
    telegram: TelegramClient,
    token: BotToken,
    target: MethodTarget,
    environ: Mapping[str, Any],
    waiter: Waiter,
    done: Done,
) -> bool:
    """Call the method without waiting for the answer, which `done` gets, in the waiter's thread.

    Returns False where that is not possible for now: nothing has been sent then. The body has to be
    in memory.
    """
    body = Body(environ)
    content = b"".join(body.blocks())
    # It may have to be read once more.
    body.rewind()
    return telegram.begin_method(
        token,
        target.method,
        verb=environ["REQUEST_METHOD"],
        query=target.query,
        headers=request_headers(environ, body),
        body=content,
        waiter=waiter,
        longest=WHOLE_BYTES,
        done=done,
    )


def answered(
    answer: Answer, token: BotToken, target: MethodTarget, whole_bytes: int
) -> ProxyAnswer:
    """Return Telegram's answer as the caller gets it. Raises TelegramUnreachable."""
    headers = _kept(answer, _RETURNED, token)
    start = answer.read_up_to(whole_bytes)
    is_packed = answer.headers.get("content-encoding", "identity").lower() != "identity"
    if target.method.lower() in CHECKED and (is_packed or not answer.is_complete):
        # It might tell what only TGM may know, and cannot be looked into.
        answer.close()
        raise TelegramUnreachable(Failure.PROTOCOL)
    if not answer.is_complete:
        return _stream(answer, headers, start, token)
    if not start:
        # Telegram never answers a method with nothing.
        raise TelegramUnreachable(Failure.PROTOCOL)
    if not is_packed:
        start = mask(start, target.method, token)
    return _with_reason(whole(answer.status, headers, start), answer)


def get_file(
    telegram: TelegramClient, token: BotToken, quoted_path: str, headers: Mapping[str, str]
) -> ProxyAnswer:
    """Download a file from Telegram. Raises TelegramUnreachable."""
    answer = telegram.open_file(token, quoted_path, headers)
    kept = _kept(answer, _RETURNED_WITH_FILES, token)
    start = answer.read_up_to(WHOLE_BYTES)
    is_file = answer.status < 400
    if not answer.is_complete:
        # Only what is no file is looked into: users may send any bytes.
        return _stream(answer, kept, start, None if is_file else token)
    if answer.status == 304:
        return _with_reason(ProxyAnswer(304, kept, []), answer)
    start = start if is_file else mask(start, "", token)
    return _with_reason(whole(answer.status, kept, start), answer)


def _stream(
    answer: Answer, headers: list[tuple[str, str]], start: bytes, token: BotToken | None
) -> ProxyAnswer:
    """Return an answer that is longer than what has been read of it, `token` blotted out."""
    if answer.length is not None:
        headers = [*headers, ("Content-Length", str(answer.length))]
    body: Iterator[bytes] = answer.as_stream(start)
    if token is not None:
        body = Blotted(body, [secret.encode() for secret in spellings(token)])
    return _with_reason(ProxyAnswer(answer.status, headers, body), answer)


def _with_reason(proxied: ProxyAnswer, answer: Answer) -> ProxyAnswer:
    if answer.reason.isascii() and answer.reason.isprintable():
        proxied.reason = answer.reason
    return proxied


def _kept(answer: Answer, names: tuple[str, ...], token: BotToken) -> list[tuple[str, str]]:
    kept = []
    for name in names:
        value = answer.headers.get(name.lower())
        if value is None or any(secret in value for secret in spellings(token)):
            continue
        kept.append((name, value.strip()))
    return kept
