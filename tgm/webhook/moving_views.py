"""The screen on which a bot is moved to another Bot API server, and watched on its way."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from jinja2_fragments.flask import render_block
from ulid import ULID

from tgm.auth.access import current_actor, current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.refusals import beside_fields
from tgm.webhook import moving
from tgm.webhook.moving_forms import MoveForm

bp = Blueprint("moving", __name__, url_prefix="/bots/<ulid:bot_id>/move")


@bp.route("", methods=["GET", "POST"])
@needs(Role.ADMIN)
def show(bot_id: ULID) -> ResponseReturnValue:
    """Ask where to, and for the bot's name; or show how far the move is."""
    bot, form = bots.get(current_team(), bot_id), MoveForm()
    if form.validate_on_submit():
        with beside_fields(form):
            bots.check_typed(bot, form.name.data or "")
            moving.start(current_team(), bot_id, form.url.data or "", current_actor())
            return redirect(url_for(".show", bot_id=bot_id), 303)
    page = render_template("moving/move.html", form=form, **_facts(bot_id))
    return page, 422 if request.method == "POST" else 200


@bp.get("/state")
@needs(Role.ADMIN)
def state(bot_id: ULID) -> ResponseReturnValue:
    """Show how far the move is, for the page that looks again by itself."""
    return render_block("moving/move.html", "move_state", **_facts(bot_id))


@bp.post("/again")
@needs(Role.ADMIN)
def again(bot_id: ULID) -> ResponseReturnValue:
    """Go on at once."""
    moving.hurry(current_team(), bot_id)
    return redirect(url_for(".show", bot_id=bot_id), 303)


@bp.post("/back")
@needs(Role.ADMIN)
def back(bot_id: ULID) -> ResponseReturnValue:
    """Turn the move back."""
    moving.turn_back(current_team(), bot_id, current_actor())
    flash(_("The bot goes back to where it came from."))
    return redirect(url_for(".show", bot_id=bot_id), 303)


@bp.post("/leave-behind")
@needs(Role.ADMIN)
def leave_behind(bot_id: ULID) -> ResponseReturnValue:
    """Go on without the old server."""
    moving.leave_behind(current_team(), bot_id, current_actor())
    flash(_("The bot goes on without its old server."))
    return redirect(url_for(".show", bot_id=bot_id), 303)


def _facts(bot_id: ULID) -> dict[str, object]:
    bot, move = bots.get(current_team(), bot_id), moving.of_bot(bot_id)
    return {
        "bot": bot,
        "move": move,
        "server": moving.server_of(bot.api_base_url),
        "old": moving.server_of(move.old_url) if move else "",
        "new": moving.server_of(move.new_url) if move else "",
        # TGM's own sentences are known in the reader's language; Telegram's stay as they are.
        "said": _(move.problem_text) if move and move.problem_text else "",
    }
