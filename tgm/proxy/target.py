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


@dataclass(frozen=True)
class JobTarget:
    """A look at a queued call."""

    bot_id: str
    job_id: str


def split(request_uri: str) -> tuple[str, str]:
    """Return the path and the query, both as sent, whether or not the target names a host.

    Raises TgmError for characters that no address may contain.
    """
    if _CONTROL.search(request_uri):
        raise TgmError("Bad Request: the address contains a control character")
    path, _, query = _ABSOLUTE.sub("", request_uri).partition("?")
    return path, query


def parse(request_uri: str) -> MethodTarget | FileTarget | JobTarget:
    """Return what the target asks for. Raises NotFound for anything but a method, file or job."""
    path, query = split(request_uri)
    if not path.startswith(PREFIX):
        raise NotFound(BOT_NOT_FOUND)
    bot_id, _, tail = path.removeprefix(PREFIX).partition("/")
    if tail.startswith("file/"):
        return FileTarget(bot_id, file_path(tail.removeprefix("file/")))
    if tail.startswith("jobs/"):
        return JobTarget(bot_id, tail.removeprefix("jobs/"))
    return MethodTarget(bot_id, method_name(tail), query)


def method_name(raw: str) -> str:
    """Return the name of a method, as the caller wrote it. Raises NotFound for what is none."""
    if not _METHOD.fullmatch(raw):
        raise NotFound(METHOD_NOT_FOUND)
    return raw


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
