"""The screen that says how a program written with a library reaches a bot through TGM."""

from collections.abc import Mapping

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from ulid import ULID

from tgm.auth.access import current_team
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dropin.forms import KeyForm
from tgm.dropin.lines import VARIABLE, ready
from tgm.keys import service as keys
from tgm.keys.models import ApiKey, KeyState
from tgm.shared.clock import utcnow

bp = Blueprint("libraries", __name__, url_prefix="/bots/<ulid:bot_id>/libraries")


@bp.get("")
def show(bot_id: ULID) -> ResponseReturnValue:
    """Show the form of the bot's tokens and every library's lines. No whole key is known here."""
    bot = bots.get(current_team(), bot_id)
    offered, form = _usable(bot), KeyForm(request.args)
    form.offer(offered)
    key = offered.get(form.key.data or "")
    form.key.data = str(key.id) if key else ""
    base_url = request.url_root.rstrip("/")
    return render_template(
        "dropin/libraries.html",
        bot=bot,
        form=form,
        base_url=base_url,
        ending=key.last_four if key else "",
        key=key,
        lines=ready(base_url),
        variable=VARIABLE,
    )


def _usable(bot: Bot) -> Mapping[str, ApiKey]:
    """Return the keys that work and may use the bot, by id."""
    chosen, now = keys.chosen_bots(bot.team_id), utcnow()
    return {
        str(key.id): key
        for key in keys.of_team(bot.team_id)
        if key.state(now) is KeyState.ACTIVE
        and (key.all_bots or any(one.id == bot.id for one in chosen.get(key.id, ())))
    }
