"""Taking updates in from Telegram: checked, stored, and answered once they are on disk."""

import hmac
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tgm.live.channel import HOLD, Line
from tgm.proxy.answers import ProxyAnswer
from tgm.security.credentials import digest
from tgm.settings import MEBIBYTE
from tgm.shared.clock import utcnow
from tgm.shared.marks import GATEWAY, SOURCE
from tgm.webhook import facts
from tgm.webhook.inbox import Inbox, NotStored
from tgm.webhook.receptions import Receptions
from tgm.webhook.registration import PATH

log = logging.getLogger(__name__)

_JSON = ("Content-Type", "application/json")
# A body that names no method: Telegram would call one that it finds here.
_TAKEN = b'{"ok": true}'
_TAKEN_HEADERS = (_JSON, ("Content-Length", str(len(_TAKEN))))
# Whoever has left so many bytes of its answers unread is far behind, and must not be waited for.
_MOST_UNSENT = 64 * 1024


@dataclass(frozen=True)
class _Update:
    """An update that has come, and is not stored yet."""

    bot_id: str
    raw: bytes = field(repr=False)
    facts: facts.Facts
    received_at: datetime


class _Awaited:
    """The answer to an update that is on its way to the disk: see `tgm.live.channel`.

    The thread that stores it gives the answer. No other one waits for that.
    """

    def __init__(self, inbox: Inbox, update: _Update, hold: Callable[..., None]) -> None:
        self._inbox = inbox
        self._update = update
        self._hold = hold
        self._line: Line | None = None

    def __iter__(self) -> Iterator[bytes]:
        self._hold(self, whole=True)
        return iter(())

    def attach(self, line: Line) -> None:
        """Have the update stored, and answered on this line."""
        self._line, update = line, self._update
        items = [(update.raw, update.facts)]
        try:
            self._inbox.hand_over(update.bot_id, items, update.received_at, self._answer)
        except NotStored as error:
            self._answer(0, str(error))

    def lost(self) -> None:
        """Hear that the caller has gone: what it sent is stored all the same."""
        self._line = None

    def _answer(self, _count: int, failure: str | None) -> None:
        line = self._line
        if line is None:
            return
        if line.unsent > _MOST_UNSENT:
            line.drop()
            return
        answer = _taken() if failure is None else _not_stored()
        line.answer(answer.status_line, answer.headers, b"".join(answer.body))


class Intake:
    """The way in for updates. Safe to share between threads."""

    def __init__(self, receptions: Receptions, inbox: Inbox) -> None:
        self._receptions = receptions
        self._inbox = inbox

    def handle(self, environ: Mapping[str, Any]) -> ProxyAnswer:
        """Take an update in from a WSGI environ, and return the answer: 200 only when it is on
        disk, since Telegram repeats anything else. Never raises.

        Where the server can hold the connection, the answer is given later, by another thread.
        """
        try:
            return self._take(environ)
        except facts.BadUpdate as bad:
            return _refused(bad.code, bad.description)
        except NotStored:
            return _not_stored()
        except Exception:
            log.exception("an update could not be taken in")
            return _refused(500, "Internal Server Error")

    def at_once(
        self, environ: Mapping[str, Any]
    ) -> Callable[[Mapping[str, Any]], ProxyAnswer] | None:
        """Return what takes the update in without waiting for anything, None where that is not
        certain. It needs HOLD in the environ, and a body that is in memory."""
        path_token = environ["PATH_INFO"].removeprefix(PATH)
        return self.handle if self._receptions.is_at_hand(path_token) else None

    def _take(self, environ: Mapping[str, Any]) -> ProxyAnswer:
        if environ["REQUEST_METHOD"] != "POST":
            return _refused(405, "Method Not Allowed", ("Allow", "POST"))
        reception = self._receptions.by_path(environ["PATH_INFO"].removeprefix(PATH))
        if reception is None:
            return _refused(404, "Not Found")
        shown = digest(environ.get("HTTP_X_TELEGRAM_BOT_API_SECRET_TOKEN", ""))
        if not hmac.compare_digest(shown, reception.secret_digest or ""):
            return _refused(401, "Unauthorized")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MEBIBYTE:
            return _refused(413, "Request Entity Too Large")
        raw = environ["wsgi.input"].read(length)
        update = _Update(reception.bot_id, raw, facts.read(raw), utcnow())
        hold = environ.get(HOLD)
        if hold is None:
            self._inbox.put(update.bot_id, update.raw, update.facts, update.received_at)
            return _taken()
        # Its own length would be held against it by the server: the answer is another one.
        return ProxyAnswer(200, [_JSON], _Awaited(self._inbox, update, hold), GATEWAY)


def _taken() -> ProxyAnswer:
    return ProxyAnswer(200, list(_TAKEN_HEADERS), [_TAKEN], GATEWAY)


def _not_stored() -> ProxyAnswer:
    return _refused(500, "Internal Server Error")


def _refused(code: int, description: str, *more: tuple[str, str]) -> ProxyAnswer:
    content = {"ok": False, "error_code": code, "description": description}
    body = json.dumps(content).encode()
    headers = [
        _JSON,
        ("Content-Length", str(len(body))),
        (SOURCE, GATEWAY),
        *more,
    ]
    return ProxyAnswer(code, headers, [body], GATEWAY)
