"""The guard before every screen, and the home screen."""

from flask import Blueprint, render_template, request, url_for
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
    if current_user.is_authenticated:
        return None
    if request.headers.get("HX-Request") and not request.headers.get("HX-Boosted"):
        # A part of a page renews itself after the session's end: the sign-in must not end up in it.
        return "", 401, {"HX-Redirect": url_for("auth.sign_in")}
    refused: ResponseReturnValue = login_manager.unauthorized()
    return refused


@bp.app_context_processor
def permissions() -> dict[str, object]:
    """Give templates `may(Role.ADMIN)`, to show only what would be allowed."""
    return {"may": may, "Role": Role}


@bp.get("/")
def home() -> ResponseReturnValue:
    """Show the bots and keys at a glance, and what to do first."""
    team = current_team()
    return render_template("dashboard/home.html", bots=bots.of_team(team), keys=keys.of_team(team))
