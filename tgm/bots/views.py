"""The bots' screens."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import format_timedelta
from flask_babel import gettext as _
from htmx_flask import request as htmx_request
from jinja2_fragments.flask import render_block
from ulid import ULID

from tgm.auth.access import current_actor, current_team, may, needs
from tgm.auth.roles import Role
from tgm.bots import photos
from tgm.bots import service as bots
from tgm.bots.avatar import Avatar
from tgm.bots.forms import AddForm, DeleteForm, RenameForm, TokenForm
from tgm.bots.models import Bot
from tgm.bots.returning import back
from tgm.errors import sentence
from tgm.extensions import runtime
from tgm.proxy.figures import Totals, totals_by_bot
from tgm.refusals import beside_fields, beside_form
from tgm.shared.clock import utcnow
from tgm.shared.errors import TgmError
from tgm.webhook import doctor as examiner
from tgm.webhook import endpoints, forgetting, moving, overview, reading, receiving
from tgm.webhook.findings import Finding, Verdict

bp = Blueprint("bots", __name__, url_prefix="/bots")


@bp.app_template_global()
def has_screen(endpoint: str) -> bool:
    """Tell whether a page of this name exists."""
    return endpoint in current_app.view_functions


@bp.app_template_global()
def avatar_of(bot: Bot) -> Avatar:
    """Return what stands for the bot at the head of its pages."""
    return photos.avatars([bot])[bot.id]


@bp.get("")
def index() -> ResponseReturnValue:
    """List the team's bots."""
    team = current_team()
    found = bots.of_team(team)
    return render_template(
        "bots/index.html",
        bots=found,
        avatars=photos.avatars(found),
        standings=overview.by_bot(team),
    )


@bp.route("/add", methods=["GET", "POST"])
@needs(Role.ADMIN)
def add() -> ResponseReturnValue:
    """Take a bot in by its token."""
    form = AddForm()
    if form.validate_on_submit():
        with beside_fields(form):
            bot = bots.add(current_team(), form.token.data or "", form.name.data, current_actor())
            flash(_("%(name)s (@%(username)s) was added.", name=bot.name, username=bot.username))
            return _to(bot)
    return render_template("bots/add.html", form=form), _status()


@bp.get("/<ulid:bot_id>")
def detail(bot_id: ULID) -> ResponseReturnValue:
    """Show a bot: the id that programs call it by, its state, and how all of it stands."""
    bot, now = bots.get(current_team(), bot_id), utcnow()
    totals = totals_by_bot(current_team(), now - timedelta(hours=24)).get(bot_id, Totals())
    return render_template(
        "bots/detail.html",
        bot=bot,
        summary=reading.summary(bot_id, now),
        reception=receiving.of_bot(bot_id),
        endpoints=endpoints.of_bot(bot_id),
        stands=reading.by_endpoint(bot_id, now),
        last_update=overview.last_update_at(bot_id),
        totals=totals,
        move=moving.of_bot(bot_id),
    )


@bp.get("/<ulid:bot_id>/photo")
def photo(bot_id: ULID) -> ResponseReturnValue:
    """Send the bot's photo. Pages name the photo in the address: another one has another."""
    found = photos.of_bot(current_team(), bot_id)
    answer = Response(found.content, mimetype=found.content_type)
    # The bytes are a stranger's: whatever they were, nothing in them may act.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer.cache_control.private = True
    answer.cache_control.max_age = int(photos.EVERY.total_seconds())
    answer.set_etag(found.unique_id)
    return answer.make_conditional(request)


@bp.get("/<ulid:bot_id>/settings")
def settings(bot_id: ULID) -> ResponseReturnValue:
    """Show what can be changed about the bot itself."""
    bot = bots.get(current_team(), bot_id)
    return render_template(
        "bots/settings.html",
        bot=bot,
        server=moving.server_of(bot.api_base_url),
        move=moving.of_bot(bot_id),
        queued=runtime.sending.queued(bot_id),
    )


@bp.get("/<ulid:bot_id>/doctor")
def doctor(bot_id: ULID) -> ResponseReturnValue:
    """Show the Doctor, and with `run` what it finds: that waits for Telegram's answers."""
    bot, findings = bots.get(current_team(), bot_id), None
    # It calls Telegram: reading alone does not.
    if "run" in request.args and may(Role.MEMBER):
        findings = [_told(one) for one in examiner.of_bot(current_team(), bot_id)]
    shown = {"bot": bot, "findings": findings, "count": _ill(findings or [])}
    if _wants_part():
        return render_block("bots/doctor.html", "examination", is_part=True, **shown)
    return render_template("bots/doctor.html", **shown)


def _told(finding: Finding) -> Finding:
    """Put times and errors into words of the reader's language."""
    params = {
        name: format_timedelta(value) if isinstance(value, timedelta) else value
        for name, value in finding.params.items()
    }
    said = sentence(finding.said) if isinstance(finding.said, TgmError) else finding.said
    return replace(finding, params=params, said=said)


def _ill(findings: Sequence[Finding]) -> int:
    return sum(one.verdict is Verdict.ATTENTION for one in findings)


@bp.route("/<ulid:bot_id>/rename", methods=["GET", "POST"])
@needs(Role.ADMIN)
def rename(bot_id: ULID) -> ResponseReturnValue:
    """Give a bot another name."""
    bot = bots.get(current_team(), bot_id)
    form = RenameForm(name=bot.name)
    if form.validate_on_submit():
        with beside_fields(form):
            bots.rename(current_team(), bot_id, form.name.data or "", current_actor())
            flash(_("The bot was renamed."))
            return back(bot_id, ".settings")
    return render_template("bots/rename.html", bot=bot, form=form), _status()


@bp.post("/<ulid:bot_id>/disable")
@needs(Role.ADMIN)
def disable(bot_id: ULID) -> ResponseReturnValue:
    """Refuse a bot's calls from now on."""
    return _bot_state(bots.disable(current_team(), bot_id, current_actor()))


@bp.post("/<ulid:bot_id>/enable")
@needs(Role.ADMIN)
def enable(bot_id: ULID) -> ResponseReturnValue:
    """Let a bot's calls pass again, and what it had to deliver go on its way."""
    if bots.get(current_team(), bot_id).is_disabled:
        receiving.drain(current_team(), bot_id)
    return _bot_state(bots.enable(current_team(), bot_id, current_actor()))


@bp.post("/<ulid:bot_id>/pace")
@needs(Role.ADMIN)
def pace(bot_id: ULID) -> ResponseReturnValue:
    """Choose whether a bot's calls keep to Telegram's pace."""
    keeps = request.form.get("keeps") == "on"
    bot = bots.keep_pace(current_team(), bot_id, keeps, current_actor())
    if _wants_part():
        queued = runtime.sending.queued(bot.id)
        return render_block("bots/settings.html", "bot_pace", bot=bot, queued=queued)
    return back(bot.id, ".settings")


@bp.route("/<ulid:bot_id>/token", methods=["GET", "POST"])
@needs(Role.ADMIN)
def token(bot_id: ULID) -> ResponseReturnValue:
    """Replace a bot's token by another of the same bot."""
    bot = bots.get(current_team(), bot_id)
    form = TokenForm()
    if form.validate_on_submit():
        with beside_fields(form):
            bots.replace_token(current_team(), bot_id, form.token.data or "", current_actor())
            flash(_("The token was replaced."))
            _renew(bot_id)
            return back(bot_id, ".settings")
    return render_template("bots/token.html", bot=bot, form=form), _status()


@bp.route("/<ulid:bot_id>/delete", methods=["GET", "POST"])
@needs(Role.ADMIN)
def delete(bot_id: ULID) -> ResponseReturnValue:
    """Forget a bot, after its name was typed."""
    bot = bots.get(current_team(), bot_id)
    form = DeleteForm()
    if form.validate_on_submit():
        with beside_form(form):
            bots.check_typed(bot, form.name.data or "")
            forgetting.forget(current_team(), bot_id, current_actor())
            bots.delete(current_team(), bot_id, form.name.data or "", current_actor())
            flash(_("The bot was deleted."))
            return redirect(url_for(".index"), 303)
    held = forgetting.held(current_team(), bot_id)
    return render_template("bots/delete.html", bot=bot, form=form, held=held), _status()


def _renew(bot_id: ULID) -> None:
    """Receive with the new token; the token stays replaced where Telegram will not have it so."""
    try:
        receiving.renew(current_team(), bot_id, current_actor())
    except TgmError as error:
        text = _("But its updates do not come in yet: %(why)s", why=sentence(error))
        flash(text, "error")


def _bot_state(bot: Bot) -> ResponseReturnValue:
    if _wants_part():
        return render_block("bots/settings.html", "bot_state", bot=bot)
    return back(bot.id, ".settings")


def _wants_part() -> bool:
    return bool(htmx_request.htmx and not htmx_request.htmx.boosted)


def _to(bot: Bot) -> ResponseReturnValue:
    return redirect(url_for(".detail", bot_id=bot.id), 303)


def _status() -> int:
    return 422 if request.method == "POST" else 200
