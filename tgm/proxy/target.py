"""Reading the request target as it came over the wire.

The server decodes a path before an application sees it, so that `%64eleteWebhook` would look like
a name it is not. Decisions are made on the undecoded target, and only plain letters are a name.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from tgm.shared.errors import NotFound, TgmError

PREFIX = "/api/v1/bots/"
_METHOD = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
# A target may name scheme and host as well (RFC 9112, absolute-form).
_ABSOLUTE = re.compile(r"\Ahttps?://[^/?#]*", re.ASCII | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f]")

BOT_NOT_FOUND = "Not Found: bot not found"
METHOD_NOT_FOUND = "Not Found: a method name has letters only"
FILE_NOT_FOUND = "Not Found: file not found"


@dataclass(frozen=True)
class MethodTarget:
    """A method call: `method` is as the caller wrote it, `query` what stood behind the `?`."""

    bot_id: str
    method: str
    query: str


@dataclass(frozen=True)
class FileTarget:
    """A download: `path` is decoded, relative, and free of traversal."""

    bot_id: str
    path: str

    @property
    def quoted(self) -> str:
        """The path, percent-encoded for a request."""
        return quote(self.path)


def split(request_uri: str) -> tuple[str, str]:
    """Return what stands behind the proxy's prefix, and the query. Both are as sent.

    Raises NotFound, and TgmError for characters that no address may contain.
    """
    if _CONTROL.search(request_uri):
        raise TgmError("Bad Request: the address contains a control character")
    target = _ABSOLUTE.sub("", request_uri)
    path, _, query = target.partition("?")
    if not path.startswith(PREFIX):
        raise NotFound(BOT_NOT_FOUND)
    return path.removeprefix(PREFIX), query


def parse(request_uri: str) -> MethodTarget | FileTarget:
    """Return what the target asks for. Raises NotFound for anything but a method or a file."""
    rest, query = split(request_uri)
    bot_id, _, tail = rest.partition("/")
    if tail.startswith("file/"):
        return FileTarget(bot_id, file_path(tail.removeprefix("file/")))
    if not _METHOD.fullmatch(tail):
        raise NotFound(METHOD_NOT_FOUND)
    return MethodTarget(bot_id, tail, query)


def file_path(raw: str) -> str:
    """Return the decoded path of a file. Raises NotFound where it leads anywhere but downwards.

    Decoded once and then judged: a percent sign that remains was encoded twice, a slash that was
    encoded is no separator that Telegram sends.
    """
    try:
        path = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        path = ""
    if "%2f" in raw.lower() or not raw.isascii() or not is_safe_path(path):
        raise NotFound(FILE_NOT_FOUND)
    return path


def is_safe_path(path: str) -> bool:
    """Tell whether a decoded path is relative and stays below where it starts."""
    return all(
        part not in {"", ".", ".."}
        and not any(c in "\\%" or ord(c) < 32 or ord(c) == 127 for c in part)
        for part in path.split("/")
    )
