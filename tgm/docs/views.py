"""The documentation, in the reader's language."""

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from tgm.docs.reference import CALLS, TABLES, addresses
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


@bp.get("/reference")
def reference() -> ResponseReturnValue:
    """List every address and every table, with one line about each."""
    return render_template(
        "docs/reference.html",
        addresses=addresses(current_app.url_map.iter_rules()),
        needed_roles={
            name: view.needed_role
            for name, view in current_app.view_functions.items()
            if hasattr(view, "needed_role")
        },
        calls=CALLS,
        tables=TABLES,
    )
