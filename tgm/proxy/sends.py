"""Which calls send something, to which chat, and how their caller would rather be answered."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tgm.proxy import pace, parameters
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.target import MethodTarget
from tgm.settings import MEBIBYTE

DEFAULT_WAIT = 10.0
LONGEST_WAIT = 30.0
# Nobody is to be locked out for ever by an answer that makes no sense.
_LONGEST_PAUSE = 24 * 3600.0

_MESSAGES = ("send", "forward", "copy")
# They begin like one, and no message comes of them.
_NO_MESSAGES = frozenset({"sendchataction", "sendmessagedraft", "sendrichmessagedraft"})
_QUEUED = (*_MESSAGES, "edit", "delete")
_NOT_QUEUED = frozenset({"deletewebhook"})
# Of a large form only the beginning is read: libraries put the fields before the files.
_START_BYTES = 64 * 1024
# With bounds, so that no body takes long to search.
_FIELD = (
    rb'content-disposition:[^\r\n]{0,200}\bname=(?:"%(name)b"|%(name)b(?=[\s;]))[^\r\n]{0,200}\r\n'
    rb"(?:[^\r\n]{1,200}\r\n){0,5}\r\n([^\r\n]{1,%(most)d})\r\n"
)
# What holds one entry for each message, by the methods that send several.
_SEVERAL = {
    "sendmediagroup": "media",
    "copymessages": "message_ids",
    "forwardmessages": "message_ids",
}
_FIELDS = {
    name: re.compile(_FIELD % {b"name": name.encode(), b"most": most}, re.IGNORECASE)
    for name, most in {"chat_id": 64, "media": 65_535, "message_ids": 4096}.items()
}
_PREFERENCE = re.compile(r'\s*([A-Za-z-]+)\s*(?:=\s*"?([^";]*)"?)?\s*(?:;.*)?', re.DOTALL)


@dataclass(frozen=True)
class Preferences:
    """What the header Prefer asks for (RFC 7240): `wait` is in seconds."""

    is_async: bool = False
    wait: float = DEFAULT_WAIT


_NOTHING_SAID = Preferences()


def preferences(environ: Mapping[str, Any]) -> Preferences:
    """Read the header. What is unknown or malformed counts as not said, as the RFC has it."""
    header = environ.get("HTTP_PREFER")
    if not header:
        return _NOTHING_SAID
    is_async, wait = False, None
    for part in str(header).split(","):
        found = _PREFERENCE.fullmatch(part)
        name = found[1].lower() if found else ""
        if name == "respond-async":
            is_async = True
        elif name == "wait" and found is not None and wait is None:
            text = (found[2] or "").strip()
            if text.isascii() and text.isdecimal():
                wait = min(float(text[:9]), LONGEST_WAIT)
    return Preferences(is_async, DEFAULT_WAIT if wait is None else wait)


def is_message(method: str) -> bool:
    """Tell whether a call of `method`, in any case, counts as a message for Telegram's pace.

    Edits do not count, since nothing is published about them.
    """
    name = method.lower()
    return name.startswith(_MESSAGES) and name not in _NO_MESSAGES


def may_queue(method: str) -> bool:
    """Tell whether a call of `method`, in any case, may be queued."""
    name = method.lower()
    return name.startswith(_QUEUED) and name not in _NOT_QUEUED


def addressed(environ: Mapping[str, Any], target: MethodTarget) -> tuple[str | None, int]:
    """Return the chat that a call names, None where none is found, and how many messages it sends.

    Rewinds the body before and after.
    """
    several = _SEVERAL.get(target.method.lower())
    environ["wsgi.input"].seek(0)
    try:
        given = _fields(environ, target.query, ("chat_id", several) if several else ("chat_id",))
    finally:
        environ["wsgi.input"].seek(0)
    return counted(target.method, given)


def counted(method: str, given: Mapping[str, Any]) -> tuple[str | None, int]:
    """Return the chat that a call with these parameters names, and how many messages it sends."""
    several = _SEVERAL.get(method.lower())
    count = 1 if is_message(method) else 0
    return pace.chat_of(given.get("chat_id")), _length(given.get(several)) if several else count


def _fields(environ: Mapping[str, Any], query: str, names: Sequence[str]) -> dict[str, Any]:
    if "multipart" not in str(environ.get("CONTENT_TYPE", "")).lower():
        return parameters.read(environ, query, longest=MEBIBYTE)
    text = environ.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isdecimal() else 0
    # Not parsed: that would copy the files.
    start = environ["wsgi.input"].read(length if length <= MEBIBYTE else _START_BYTES)
    found: dict[str, Any] = dict(parse_qsl(query))
    for name in names:
        field = _FIELDS[name].search(start)
        if field is not None:
            found[name] = field[1].decode("utf-8", "replace")
    return found


def _length(listed: object) -> int:
    """Return how many a list has, which a form carries as JSON; 1 for what is none."""
    if isinstance(listed, str):
        try:
            listed = json.loads(listed)
        except (ValueError, RecursionError):
            return 1
    return max(1, len(listed)) if isinstance(listed, list) else 1


def asked_pause(answer: ProxyAnswer) -> float | None:
    """Return for how many seconds Telegram wants no more calls of the bot, None for no 429."""
    if answer.status != 429:
        return None
    try:
        body = b"".join(answer.body) if isinstance(answer.body, list) else b""
        return pause_of(json.loads(body)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return 1.0


def pause_of(retry_after: object) -> float:
    """Return for how many seconds to pause after a 429 that says this."""
    try:
        return max(1.0, min(float(retry_after), _LONGEST_PAUSE))  # type: ignore[arg-type]
    except (ValueError, TypeError, ArithmeticError):
        return 1.0
