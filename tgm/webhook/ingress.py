"""Where Telegram posts updates: /api/v1/tg-webhook/<path token>."""

import hmac
import logging

from flask import Blueprint, Response, request

from tgm.errors import api_error
from tgm.extensions import runtime
from tgm.security.credentials import digest
from tgm.settings import MEBIBYTE
from tgm.shared.clock import utcnow
from tgm.webhook import facts
from tgm.webhook.inbox import NotStored

log = logging.getLogger(__name__)

bp = Blueprint("webhook", __name__)


@bp.post("/<path_token>")
def take(path_token: str) -> Response:
    """Take an update in. Answered 200 only when it is on disk; Telegram repeats anything else."""
    reception = runtime.relay.receptions.by_path(path_token)
    if reception is None:
        return api_error(404, "Not Found")
    shown = digest(request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""))
    if not hmac.compare_digest(shown, reception.secret_digest or ""):
        return api_error(401, "Unauthorized")
    if (request.content_length or 0) > MEBIBYTE:
        return api_error(413, "Request Entity Too Large")
    raw = request.get_data(cache=False)
    try:
        found = facts.read(raw)
        runtime.relay.inbox.put(reception.bot_id, raw, found, utcnow())
    except facts.BadUpdate as bad:
        return api_error(bad.code, bad.description)
    except NotStored:
        return api_error(500, "Internal Server Error")
    # A body that names no method: Telegram would call one that it finds here.
    return Response(b'{"ok": true}', content_type="application/json")
