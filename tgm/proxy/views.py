"""The request log's screen."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from tgm.auth.access import current_team
from tgm.bots import service as bots
from tgm.keys import service as keys
from tgm.proxy import requestlog
from tgm.proxy.forms import FilterForm

bp = Blueprint("requests", __name__, url_prefix="/requests")


@bp.get("")
def index() -> ResponseReturnValue:
    """List the team's calls, the newest first; the filter stands in the address."""
    team = current_team()
    form = FilterForm(request.args)
    own_bots, own_keys = bots.of_team(team), keys.of_team(team)
    form.bot.choices = {"": _("Any")} | {str(bot.id): bot.name for bot in own_bots}
    form.key.choices = {"": _("Any")} | {str(key.id): key.name for key in own_keys}
    form.validate()
    before = request.args.get("before", type=requestlog.row_number)
    page = requestlog.page(team, form.wanted(), before)
    kept = {name: value for name, value in request.args.items() if value and name != "before"}
    return render_template(
        "proxy/requests.html",
        form=form,
        page=page,
        kept=kept,
        bot_names={bot.id: bot.name for bot in own_bots},
        key_names={key.id: key.name for key in own_keys},
    )
