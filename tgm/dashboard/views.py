"""The guard before every screen, and the home screen."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from tgm.auth.access import current_team, may
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.extensions import login_manager
from tgm.keys import service as keys

bp = Blueprint("dashboard", __name__)


@bp.before_request
def guard() -> ResponseReturnValue | None:
    """Let nobody in who is not signed in; a sign-in comes back to the page that was asked for."""
    if not current_user.is_authenticated:
        refused: ResponseReturnValue = login_manager.unauthorized()
        return refused
    return None


@bp.app_context_processor
def permissions() -> dict[str, object]:
    """Give templates `may(Role.ADMIN)`, to show only what would be allowed."""
    return {"may": may, "Role": Role}


@bp.get("/")
def home() -> ResponseReturnValue:
    """Show the bots and keys at a glance, and what to do first."""
    team = current_team()
    return render_template("dashboard/home.html", bots=bots.of_team(team), keys=keys.of_team(team))
