"""The documentation, in the reader's language."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from tgm.extensions import runtime
from tgm.i18n import chosen_language

bp = Blueprint("docs", __name__)


@bp.get("/")
def index() -> ResponseReturnValue:
    """Explain how programs call the Bot API through TGM."""
    settings = runtime.settings
    return render_template(
        f"docs/{chosen_language()}/api.html",
        base_url=request.url_root.rstrip("/"),
        settings=settings,
    )
