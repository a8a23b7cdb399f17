"""Which calls send something, to which chat, and how their caller would rather be answered."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tgm.proxy import pace, parameters
from tgm.proxy.answers import ProxyAnswer
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
_FIELD = re.compile(
    rb'content-disposition:[^\r\n]{0,200}\bname=(?:"chat_id"|chat_id(?=[\s;]))[^\r\n]{0,200}\r\n'
    rb"(?:[^\r\n]{1,200}\r\n){0,5}\r\n([^\r\n]{1,64})\r\n",
    re.IGNORECASE,
)
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

    Each call counts once, albums too; edits do not count, since nothing is published about them.
    """
    name = method.lower()
    return name.startswith(_MESSAGES) and name not in _NO_MESSAGES


def may_queue(method: str) -> bool:
    """Tell whether a call of `method`, in any case, may be queued."""
    name = method.lower()
    return name.startswith(_QUEUED) and name not in _NOT_QUEUED


def chat_of(environ: Mapping[str, Any], query: str) -> str | None:
    """Return the chat that a call names, None where none is found. Rewinds the body before and
    after."""
    body = environ["wsgi.input"]
    body.seek(0)
    try:
        if "multipart" in str(environ.get("CONTENT_TYPE", "")).lower():
            text = environ.get("CONTENT_LENGTH") or "0"
            length = int(text) if text.isdecimal() else 0
            # Not parsed: that would copy the files.
            start = body.read(length if length <= MEBIBYTE else _START_BYTES)
            found = _FIELD.search(start)
            if found is not None:
                return pace.chat_of(found[1].decode("utf-8", "replace"))
            return pace.chat_of(dict(parse_qsl(query)).get("chat_id"))
        given = parameters.read(environ, query, longest=MEBIBYTE)
        return pace.chat_of(given.get("chat_id"))
    finally:
        body.seek(0)


def asked_pause(answer: ProxyAnswer) -> float | None:
    """Return for how many seconds Telegram wants no more calls of the bot, None for no 429."""
    if answer.status != 429:
        return None
    try:
        body = b"".join(answer.body) if isinstance(answer.body, list) else b""
        seconds = json.loads(body)["parameters"]["retry_after"]
        return max(1.0, min(float(seconds), _LONGEST_PAUSE))
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return 1.0
