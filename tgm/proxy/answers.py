"""An answer on its way to the caller, and TGM's own answers in Telegram's shape."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tgm.proxy.policy import WrongVerb
from tgm.shared.errors import TgmError
from tgm.shared.limits import LimitState
from tgm.shared.marks import GATEWAY, TELEGRAM

_KINDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "bad_verb",
    409: "conflict",
    413: "too_large",
    422: "idempotency_mismatch",
    429: "rate_limited",
    500: "internal",
}


@dataclass
class ProxyAnswer:
    """What goes back. `body` may still be on the wire; `error` is the request log's kind."""

    status: int
    headers: list[tuple[str, str]]
    body: Iterable[bytes]
    source: str = TELEGRAM
    error: str | None = None
    reason: str = field(default="")

    @property
    def status_line(self) -> str:
        """The status with its phrase, as WSGI wants it."""
        try:
            return f"{self.status} {self.reason or HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"


def whole(status: int, headers: list[tuple[str, str]], body: bytes) -> ProxyAnswer:
    """Return an answer of Telegram's that is here in full."""
    return ProxyAnswer(status, [*headers, ("Content-Length", str(len(body)))], [body])


def own(error: TgmError, kind: str | None = None) -> ProxyAnswer:
    """Return TGM's own refusal, in Telegram's shape."""
    content: dict[str, Any] = {
        "ok": False,
        "error_code": error.code,
        "description": error.description,
    }
    headers = [("Content-Type", "application/json")]
    if error.retry_after is not None:
        content["parameters"] = {"retry_after": error.retry_after}
        headers.append(("Retry-After", str(error.retry_after)))
    if error.code == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    if isinstance(error, WrongVerb):
        headers.append(("Allow", error.allow))
    body = json.dumps(content).encode()
    headers.append(("Content-Length", str(len(body))))
    return ProxyAnswer(error.code, headers, [body], GATEWAY, kind or _KINDS.get(error.code))


def limit_headers(state: LimitState) -> list[tuple[str, str]]:
    """Return the headers that tell a caller where it stands."""
    return [
        ("X-RateLimit-Limit", str(state.limit)),
        ("X-RateLimit-Remaining", str(state.remaining)),
        ("X-RateLimit-Reset", str(state.reset_at)),
    ]
