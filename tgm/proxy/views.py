"""The request log's screens."""

from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from htmx_flask import request as htmx_request
from jinja2_fragments.flask import render_block
from ulid import ULID

from tgm.auth.access import current_team
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.keys import service as keys
from tgm.live.following import follow, wants_events
from tgm.live.pausing import unhurried
from tgm.proxy import reading
from tgm.proxy.forms import FilterForm
from tgm.shared.errors import NotFound
from tgm.shared.paging import row_number

# The list stands in two places: the team's own address, and the tab of each bot.
bp = Blueprint("requests", __name__)


@bp.get("/requests")
def index() -> ResponseReturnValue:
    """List the team's calls, the newest first; the filter stands in the address."""
    return _list(None)


@bp.get("/bots/<ulid:bot_id>/requests")
def of_bot(bot_id: ULID) -> ResponseReturnValue:
    """List the calls for one bot."""
    return _list(bots.get(current_team(), bot_id))


@bp.get("/requests/<row_id>")
def detail(row_id: str) -> ResponseReturnValue:
    """Show one call."""
    call = reading.find(current_team(), row_id)
    part = "_request_panel" if _wants_part() else "request"
    return render_template(f"proxy/{part}.html", call=call)


def _list(bot: Bot | None) -> ResponseReturnValue:
    before = request.args.get("before", type=row_number)
    if before is None and wants_events():
        return follow("requests", reading.mark)
    form = FilterForm(request.args)
    if bot:
        del form.bot
    form.validate()
    wanted = replace(form.wanted(), bot_id=bot.id) if bot else form.wanted()
    page = reading.page(current_team(), wanted, before)
    shown: dict[str, Any] = {
        "page": page,
        "rows": unhurried(page.rows),
        "bot": bot,
        "here": partial(url_for, ".of_bot", bot_id=bot.id) if bot else partial(url_for, ".index"),
        "kept": {name: request.args[name] for name in form.data if request.args.get(name)},
        "is_first": before is None,
    }
    if _wants_part():
        return render_block("proxy/requests.html", "request_list", **shown)
    _offer(form)
    return render_template("proxy/requests.html", form=form, **shown, **_beside())


def _offer(form: FilterForm) -> None:
    """Offer the team's bots and keys in the filter."""
    team = current_team()
    if "bot" in form:
        form.bot.choices = {"": _("Any")} | {str(one.id): one.name for one in bots.of_team(team)}
    form.key.choices = {"": _("Any")} | {str(one.id): one.name for one in keys.of_team(team)}


def _beside() -> dict[str, Any]:
    """Return the call that the address wants beside the list."""
    wanted = request.args.get("open")
    try:
        return {"call": reading.find(current_team(), wanted) if wanted else None}
    except NotFound:
        return {"call": None}


def _wants_part() -> bool:
    return bool(htmx_request.htmx and not htmx_request.htmx.boosted)
