"""The documentation: for people in their language, for programs as an OpenAPI document."""

import json
from functools import lru_cache

from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tgm import assets
from tgm.docs.openapi import document
from tgm.docs.reference import CALLS, TABLES, addresses
from tgm.extensions import htmx, runtime
from tgm.i18n import chosen_language
from tgm.shared.version import VERSION

# An installation has one name, or a few; whoever makes up others fills no memory.
_NAMES = 4

bp = Blueprint("docs", __name__)
description = Blueprint("openapi", __name__)


@bp.get("/")
def index() -> ResponseReturnValue:
    """Explain how programs call the Bot API through TGM."""
    settings = runtime.settings
    return render_template(
        f"docs/{chosen_language()}/api.html",
        base_url=_base_url(),
        settings=settings,
    )


@bp.get("/api")
def api() -> ResponseReturnValue:
    """Show the OpenAPI document, so that calls can be tried out."""
    if htmx:
        # What htmx puts into a page runs no script, and this page is one.
        return "", 204, {"HX-Redirect": url_for("docs.api")}
    return render_template("docs/explore.html")


@description.get("/openapi.json")
def describe() -> ResponseReturnValue:
    """Describe the API to programs."""
    return assets.answer(_described(_base_url()))


@lru_cache(_NAMES)
def _described(base_url: str) -> assets.Asset:
    body = json.dumps(document(base_url, VERSION), separators=(",", ":"))
    return assets.packed(body.encode(), "application/json")


def _base_url() -> str:
    return request.url_root.rstrip("/")


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
