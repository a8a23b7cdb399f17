"""The guard before every screen, and the home screen."""

from hashlib import sha256

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from htmx_flask import request as htmx_request
from jinja2_fragments.flask import render_block

from tgm.auth.access import current_team, may
from tgm.auth.roles import Role
from tgm.dashboard import attention, cards, charts, facts, guide
from tgm.extensions import login_manager
from tgm.proxy import figures
from tgm.shared.clock import utcnow

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


@bp.app_context_processor
def first_steps() -> dict[str, object]:
    """Give templates `first_steps()`: where the team at hand stands in the guide."""
    return {"first_steps": lambda: guide.of_team(current_team(), utcnow())}


@bp.get("/")
def home() -> ResponseReturnValue:
    """Show what needs a person, how each bot is doing, and what to do first."""
    team, now = current_team(), utcnow()
    known = facts.of_team(team, now)
    findings = attention.find(known.bots, known.keys, now)
    totals = figures.totals_by_bot(team, now - facts.DAY)
    shown = {"findings": findings, "cards": cards.of_bots(known.bots, totals, findings)}
    marks = {name: _mark(value) for name, value in shown.items()}
    if htmx_request.htmx and not htmx_request.htmx.boosted:
        return _news({**shown, "marks": marks}, marks)
    drawn = charts.for_home(team, request.args.get("span", ""), now) if known.bots else None
    first = guide.of_team(team, now)
    return render_template("dashboard/home.html", guide=first, charts=drawn, marks=marks, **shown)


def _news(shown: dict[str, object], marks: dict[str, str]) -> ResponseReturnValue:
    """Send what has changed since the page asked last: most often nothing, and then it stays as it
    is, with whatever has the focus."""
    had = {name: request.args.get(name) for name in marks}
    if had == marks:
        return "", 204
    parts = ["bot_cards"]
    if had["findings"] != marks["findings"]:
        parts += ["needs", "needs_said"]
    return "".join(render_block("dashboard/home.html", part, oob=True, **shown) for part in parts)


def _mark(shown: object) -> str:
    """Return a few characters that differ where what is shown does."""
    return sha256(repr(shown).encode()).hexdigest()[:16]
