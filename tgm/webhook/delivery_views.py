"""The screens of deliveries: the live list, one of them, replay, and test updates."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from htmx_flask import request as htmx_request
from jinja2_fragments.flask import render_block
from ulid import ULID

from tgm.auth.access import current_actor, current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.errors import sentence
from tgm.live.following import follow, wants_events
from tgm.live.pausing import unhurried
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict, NotFound
from tgm.shared.ids import parse_id
from tgm.shared.paging import row_number
from tgm.webhook import endpoints, reading, replay, samples
from tgm.webhook.forms import FilterForm, SureForm, TestForm
from tgm.webhook.models import OPEN
from tgm.webhook.reading import Search
from tgm.webhook.replaying import replays

# The lists stand in two places: the team's own address, and the tab of each bot.
bp = Blueprint("deliveries", __name__)


@bp.get("/deliveries")
def index() -> ResponseReturnValue:
    """List the team's deliveries, the newest first; the filter stands in the address."""
    return _list(None)


@bp.get("/bots/<ulid:bot_id>/deliveries")
def of_bot(bot_id: ULID) -> ResponseReturnValue:
    """List one bot's deliveries."""
    return _list(bots.get(current_team(), bot_id))


@bp.get("/deliveries/<ulid:delivery_id>")
def detail(delivery_id: ULID) -> ResponseReturnValue:
    """Show an update, what was sent, and every attempt to deliver it."""
    shown = _shown(delivery_id)
    if _wants_part():
        in_panel = request.args.get("in") == "panel"
        part = "_delivery_panel" if in_panel else "_delivery_status"
        return render_template(f"webhook/{part}.html", **shown)
    return render_template("webhook/delivery.html", **shown)


@bp.post("/deliveries/<ulid:delivery_id>/replay")
@needs(Role.MEMBER)
def replay_one(delivery_id: ULID) -> ResponseReturnValue:
    """Deliver the same update to the same endpoint again, and show the new delivery."""
    made = replay.replay_one(current_team(), delivery_id, current_actor())
    flash(_("This is the replay."))
    return redirect(url_for(".detail", delivery_id=made.id), 303)


@bp.route("/deliveries/replay", methods=["GET", "POST"])
@needs(Role.MEMBER)
def replay_all() -> ResponseReturnValue:
    """Count what matches the filter in the address, ask, and deliver it all again."""
    asked = _asked(None)
    if SureForm().validate_on_submit():
        begun = replays.start(current_team(), asked.wanted, current_actor())
        return redirect(url_for(".progress", replay_id=begun.id), 303)
    _offer(asked.form, None)
    page = render_template(
        "webhook/replay.html",
        form=asked.form,
        kept=asked.kept,
        count=replay.matching(current_team(), asked.wanted),
    )
    return page, 422 if request.method == "POST" else 200


@bp.get("/deliveries/replays/<ulid:replay_id>")
@needs(Role.MEMBER)
def progress(replay_id: ULID) -> ResponseReturnValue:
    """Show how far a replay is."""
    running = replays.get(current_team(), replay_id)
    if _wants_part():
        return render_block("webhook/replaying.html", "replay_progress", replay=running)
    return render_template("webhook/replaying.html", replay=running)


@bp.route("/deliveries/test", methods=["GET", "POST"])
@needs(Role.MEMBER)
def send_test() -> ResponseReturnValue:
    """Ask for an endpoint, send it a made-up update, and show what became of it."""
    team = current_team()
    form = TestForm()
    form.offer(bots.of_team(team), endpoints.of_team(team))
    if request.method == "GET" and "to" in request.args:
        form.to.data = request.args["to"]
    chosen = parse_id(form.to.data or "")
    if form.validate_on_submit() and chosen is not None:
        make = samples.button_press if form.what.data == "button" else samples.message
        try:
            made = make(team, chosen, current_actor())
        except Conflict as refused:
            # It was paused a moment ago.
            form.to.errors = [sentence(refused)]
        else:
            return redirect(url_for(".detail", delivery_id=made.id), 303)
    page = render_template("webhook/send_test.html", form=form)
    return page, 422 if request.method == "POST" else 200


@dataclass(frozen=True)
class _Asked:
    """What a list shows: `kept` of the filter stands in the address, for links that keep it."""

    form: FilterForm
    wanted: Search
    kept: dict[str, str]


def _asked(bot: Bot | None) -> _Asked:
    form = FilterForm(request.args)
    if bot:
        del form.bot
    kept = {name: request.args[name] for name in form.data if request.args.get(name)}
    wanted = form.wanted()
    return _Asked(form, replace(wanted, bot=bot.id) if bot else wanted, kept)


def _offer(form: FilterForm, bot: Bot | None) -> None:
    """Offer the team's bots and endpoints in the filter, or one bot's endpoints."""
    team = current_team()
    form.offer([bot] if bot else bots.of_team(team), endpoints.of_team(team))


def _list(bot: Bot | None) -> ResponseReturnValue:
    before = request.args.get("before", type=row_number)
    if before is None and wants_events():
        return follow("deliveries", reading.mark)
    asked = _asked(bot)
    here = partial(url_for, ".of_bot", bot_id=bot.id) if bot else partial(url_for, ".index")
    page = reading.page(current_team(), asked.wanted, before)
    shown: dict[str, Any] = {
        "page": page,
        "rows": unhurried(page.rows),
        "bot": bot,
        "here": here,
        "kept": asked.kept,
        "is_first": before is None,
    }
    if _wants_part():
        return render_block("webhook/deliveries.html", "delivery_list", **shown)
    _offer(asked.form, bot)
    return render_template("webhook/deliveries.html", form=asked.form, **shown, **_beside())


def _beside() -> dict[str, Any]:
    """Return the delivery that the address wants beside the list."""
    wanted = parse_id(request.args.get("open", ""))
    try:
        return _shown(wanted) if wanted is not None else {"found": None}
    except NotFound:
        return {"found": None}


def _shown(delivery_id: ULID) -> dict[str, Any]:
    found = reading.detail(current_team(), delivery_id)
    now = utcnow()
    is_open = found.delivery.state in OPEN
    # An attempt that is hours away does not come sooner for being asked after every other second.
    is_near = found.delivery.next_at is None or (found.delivery.next_at - now).total_seconds() < 20
    return {
        "found": found,
        "is_open": is_open,
        "again_seconds": 2 if is_near else 15,
        "now": now,
        "pretty": reading.pretty(found.update.raw),
    }


def _wants_part() -> bool:
    return bool(htmx_request.htmx and not htmx_request.htmx.boosted)
