"""Where an act on a bot leads back to: the page whose button was pressed. HTTP layer."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from ulid import ULID

_PAGES = {"doctor": "dashboard.bots.doctor", "settings": "dashboard.bots.settings"}


def back(bot_id: ULID, otherwise: str) -> ResponseReturnValue:
    """Redirect to the page that the form's field `back` names, else to the endpoint `otherwise`."""
    page = _PAGES.get(request.form.get("back", ""), otherwise)
    return redirect(url_for(page, bot_id=bot_id), 303)
