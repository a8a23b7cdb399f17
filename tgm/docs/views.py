"""The documentation: for people in their language, for programs as an OpenAPI document."""

import json
from functools import lru_cache

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from tgm import assets
from tgm.auth.access import place_at_hand
from tgm.bots import service as bots
from tgm.docs.examples import Examples
from tgm.docs.forms import ChoiceForm
from tgm.docs.openapi import document
from tgm.docs.reference import CALLS, TABLES, addresses
from tgm.dropin.lines import ready
from tgm.extensions import runtime
from tgm.i18n import chosen_language
from tgm.keys import service as keys
from tgm.keys.models import KeyState
from tgm.shared.clock import utcnow
from tgm.shared.version import VERSION

# An installation has one name, or a few; whoever makes up others fills no memory.
_NAMES = 4

bp = Blueprint("docs", __name__)
description = Blueprint("openapi", __name__)


@bp.get("/")
def index() -> ResponseReturnValue:
    """Explain how programs call the Bot API through TGM.

    Whoever has signed in chooses a bot and a key, by their ids in the address, that the examples
    are then written for.
    """
    form, examples, may_not = _choice(request.url_root.rstrip("/"))
    return render_template(
        f"docs/{chosen_language()}/api.html",
        examples=examples,
        form=form,
        may_not=may_not,
        lines=ready(examples.base_url),
        settings=runtime.settings,
    )


@bp.get("/api")
def api() -> ResponseReturnValue:
    """Show the OpenAPI document, so that calls can be tried out."""
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


def _choice(base_url: str) -> tuple[ChoiceForm | None, Examples, bool]:
    """Return the choice, None for strangers; what it fills in; and whether key and bot disagree."""
    place = place_at_hand()
    if place is None:
        return None, Examples(base_url), False
    now = utcnow()
    own = {str(bot.id): bot for bot in bots.of_team(place.team_id)}
    working = {
        str(key.id): key for key in keys.of_team(place.team_id) if key.state(now) is KeyState.ACTIVE
    }
    form = ChoiceForm(request.args)
    form.offer(own, working)
    bot, key = own.get(form.bot.data or ""), working.get(form.key.data or "")
    # Where there is one of a kind, there is nothing to choose.
    if "bot" not in request.args and len(own) == 1:
        (bot,) = own.values()
    if "key" not in request.args and len(working) == 1:
        (key,) = working.values()
    form.bot.data, form.key.data = str(bot.id) if bot else "", str(key.id) if key else ""
    may_not = False
    if bot and key and not key.all_bots:
        chosen = keys.chosen_bots(place.team_id).get(key.id, ())
        may_not = bot.id not in {each.id for each in chosen}
    return form, Examples(base_url, bot, key), may_not
