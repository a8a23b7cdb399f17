"""The screens of deliveries: the live list, one of them, and replay."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from htmx_flask import request as htmx_request
from jinja2_fragments.flask import render_block
from ulid import ULID

from tgm.auth.access import current_actor, current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.shared.clock import utcnow
from tgm.webhook import endpoints, reading, replay
from tgm.webhook.forms import FilterForm, SureForm
from tgm.webhook.models import OPEN
from tgm.webhook.replaying import replays

bp = Blueprint("deliveries", __name__, url_prefix="/deliveries")


@bp.get("")
def index() -> ResponseReturnValue:
    """List the team's deliveries, the newest first; the filter stands in the address."""
    form, kept = _filter()
    before = request.args.get("before", type=int)
    page = reading.page(current_team(), form.wanted(), before)
    shown = {"form": form, "page": page, "kept": kept, "is_first": before is None}
    if _wants_part():
        return render_block("webhook/deliveries.html", "delivery_list", **shown)
    return render_template("webhook/deliveries.html", **shown)


@bp.get("/<ulid:delivery_id>")
def detail(delivery_id: ULID) -> ResponseReturnValue:
    """Show an update, what was sent, and every attempt to deliver it."""
    found = reading.detail(current_team(), delivery_id)
    shown = {"found": found, "is_open": found.delivery.state in OPEN, "now": utcnow()}
    if _wants_part():
        return render_block("webhook/delivery.html", "delivery_status", **shown)
    return render_template(
        "webhook/delivery.html", pretty=reading.pretty(found.update.raw), **shown
    )


@bp.post("/<ulid:delivery_id>/replay")
@needs(Role.MEMBER)
def replay_one(delivery_id: ULID) -> ResponseReturnValue:
    """Deliver the same update to the same endpoint again, and show the new delivery."""
    made = replay.replay_one(current_team(), delivery_id, current_actor())
    flash(_("This is the replay."))
    return redirect(url_for(".detail", delivery_id=made.id), 303)


@bp.route("/replay", methods=["GET", "POST"])
@needs(Role.MEMBER)
def replay_all() -> ResponseReturnValue:
    """Count what matches the filter in the address, ask, and deliver it all again."""
    form, kept = _filter()
    wanted = form.wanted()
    if SureForm().validate_on_submit():
        begun = replays.start(current_team(), wanted, current_actor())
        return redirect(url_for(".progress", replay_id=begun.id), 303)
    page = render_template(
        "webhook/replay.html", form=form, kept=kept, count=replay.matching(current_team(), wanted)
    )
    return page, 422 if request.method == "POST" else 200


@bp.get("/replays/<ulid:replay_id>")
@needs(Role.MEMBER)
def progress(replay_id: ULID) -> ResponseReturnValue:
    """Show how far a replay is."""
    running = replays.get(current_team(), replay_id)
    if _wants_part():
        return render_block("webhook/replaying.html", "replay_progress", replay=running)
    return render_template("webhook/replaying.html", replay=running)


def _filter() -> tuple[FilterForm, dict[str, str]]:
    """Return the filter, and what of it stands in the address, for links that keep it."""
    team = current_team()
    form = FilterForm(request.args)
    form.offer(bots.of_team(team), endpoints.of_team(team))
    kept = {name: request.args[name] for name in form.data if request.args.get(name)}
    return form, kept


def _wants_part() -> bool:
    return bool(htmx_request.htmx and not htmx_request.htmx.boosted)
