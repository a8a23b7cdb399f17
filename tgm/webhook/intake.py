"""Taking updates in from Telegram: checked, stored, and answered once they are on disk."""

import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any

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

# A body that names no method: Telegram would call one that it finds here.
_TAKEN = b'{"ok": true}'
_TAKEN_HEADERS = (("Content-Type", "application/json"), ("Content-Length", str(len(_TAKEN))))


class Intake:
    """The way in for updates. Safe to share between threads."""

    def __init__(self, receptions: Receptions, inbox: Inbox) -> None:
        self._receptions = receptions
        self._inbox = inbox

    def handle(self, environ: Mapping[str, Any]) -> ProxyAnswer:
        """Take an update in from a WSGI environ, and return the answer: 200 only when it is on
        disk, since Telegram repeats anything else. Never raises."""
        try:
            return self._take(environ)
        except facts.BadUpdate as bad:
            return _refused(bad.code, bad.description)
        except NotStored:
            return _refused(500, "Internal Server Error")
        except Exception:
            log.exception("an update could not be taken in")
            return _refused(500, "Internal Server Error")

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
        self._inbox.put(reception.bot_id, raw, facts.read(raw), utcnow())
        return ProxyAnswer(200, list(_TAKEN_HEADERS), [_TAKEN], GATEWAY)


def _refused(code: int, description: str, *more: tuple[str, str]) -> ProxyAnswer:
    content = {"ok": False, "error_code": code, "description": description}
    body = json.dumps(content).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        (SOURCE, GATEWAY),
        *more,
    ]
    return ProxyAnswer(code, headers, [body], GATEWAY)
