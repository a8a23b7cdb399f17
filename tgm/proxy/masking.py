"""The few answers of Telegram's that may not pass as they are, since they hold TGM's secrets.

A local Bot API server names files by absolute paths with the token in them; getWebhookInfo tells
the relay's secret address. Everything else goes through untouched, to the byte.
"""

import json
from typing import Any

from tgm.telegram.token import BotToken

RELAY_PATH = "/api/v1/tg-webhook/"
_HIDDEN = b"[token]"


# Answers that have to be read before they may pass.
CHECKED = frozenset({"getwebhookinfo", "getfile"})


def mask(body: bytes, method: str, token: BotToken) -> bytes:
    """Return the answer to `method` without the token and the relay's address."""
    if method.lower() == "getwebhookinfo":
        body = _without_relay(body)
    for secret in spellings(token):
        if secret.encode() in body:
            body = _with_relative_path(body, secret).replace(secret.encode(), _HIDDEN)
    return body


def spellings(token: BotToken) -> tuple[str, ...]:
    """Return the forms in which a token may appear in a text."""
    # A server on Windows cannot have a colon in the name of a folder.
    return token.value, token.value.replace(":", "~"), token.value.replace(":", "%3A")


def _result(body: bytes) -> tuple[dict[str, Any], dict[str, Any]] | None:
    try:
        answer = json.loads(body)
        result = answer["result"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (answer, result) if isinstance(result, dict) else None


def _dump(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _without_relay(body: bytes) -> bytes:
    found = _result(body)
    if found is None:
        return body
    answer, info = found
    # By its path, whatever the host's spelling: it may have been registered under another name.
    if RELAY_PATH not in str(info.get("url", "")):
        return body
    info["url"] = ""
    info.pop("ip_address", None)
    info.pop("last_error_message", None)
    return _dump(answer)


def _with_relative_path(body: bytes, secret: str) -> bytes:
    found = _result(body)
    if found is None:
        return body
    answer, result = found
    path = result.get("file_path")
    if not isinstance(path, str) or secret not in path:
        return body
    result["file_path"] = path.rpartition(secret)[2].replace("\\", "/").lstrip("/")
    return _dump(answer)
