"""The bots' screens."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from htmx_flask import request as htmx_request
from jinja2_fragments.flask import render_block
from ulid import ULID

from tgm.auth.access import current_actor, current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.forms import AddForm, DeleteForm, RenameForm, TokenForm
from tgm.bots.models import Bot
from tgm.errors import sentence
from tgm.refusals import beside_fields, beside_form
from tgm.shared.clock import utcnow
from tgm.shared.errors import TgmError
from tgm.webhook import forgetting, reading, receiving

bp = Blueprint("bots", __name__, url_prefix="/bots")


@bp.app_template_global()
def has_screen(endpoint: str) -> bool:
    """Tell whether a page of this name exists."""
    return endpoint in current_app.view_functions


@bp.get("")
def index() -> ResponseReturnValue:
    """List the team's bots."""
    return render_template("bots/index.html", bots=bots.of_team(current_team()))


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
    """Show a bot: the id that programs call it by, its state, and how its deliveries stand."""
    bot = bots.get(current_team(), bot_id)
    summary = reading.summary(bot_id, utcnow())
    return render_template("bots/detail.html", bot=bot, summary=summary)


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
            return _to(bot)
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
            return _to(bot)
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
    if htmx_request.htmx and not htmx_request.htmx.boosted:
        return render_block("bots/detail.html", "bot_state", bot=bot)
    return _to(bot)


def _to(bot: Bot) -> ResponseReturnValue:
    return redirect(url_for(".detail", bot_id=bot.id), 303)


def _status() -> int:
    return 422 if request.method == "POST" else 200
