"""The audit log's screen."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from tgm.audit import service
from tgm.audit.words import ACTIONS
from tgm.auth.access import current_team, needs
from tgm.auth.roles import Role
from tgm.shared.ids import parse_id

bp = Blueprint("audit", __name__, url_prefix="/audit")


@bp.get("")
@needs(Role.ADMIN)
def index() -> ResponseReturnValue:
    """List the team's acts, the newest first."""
    page = service.page(current_team(), parse_id(request.args.get("before", "")))
    return render_template("audit/index.html", page=page, actions=ACTIONS)
