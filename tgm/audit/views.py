"""The audit log's screen."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from tgm.audit import service
from tgm.audit.forms import FilterForm
from tgm.audit.words import ACTIONS, ACTORS, details
from tgm.auth import service as people
from tgm.auth.access import current_team, needs
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.i18n import aware
from tgm.shared.ids import parse_id

bp = Blueprint("audit", __name__, url_prefix="/audit")


@bp.get("")
@needs(Role.ADMIN)
def index() -> ResponseReturnValue:
    """List the team's acts, the newest first; the filter stands in the address."""
    team = current_team()
    form = FilterForm(request.args)
    page = service.page(team, parse_id(request.args.get("before", "")), form.wanted(aware))
    bot_names = {str(bot.id): bot.name for bot in bots.of_team(team)}
    return render_template(
        "audit/index.html",
        form=form,
        page=page,
        kept={name: request.args[name] for name in form.data if request.args.get(name)},
        actions=ACTIONS,
        actors=ACTORS,
        people=people.list_users(team),
        details=lambda entry: details(entry.details, bot_names),
    )
