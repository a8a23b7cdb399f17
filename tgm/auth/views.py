"""The pages before sign-in: the first set-up, signing in and out, invitations, the language."""

import time
from typing import cast

from flask import (
    Blueprint,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_user, logout_user
from ulid import ULID

from tgm.audit.service import Actor
from tgm.auth import access, service, setup_link
from tgm.auth.forms import ROLE_NAMES, JoinForm, SecondStepForm, SetUpForm, SignInForm
from tgm.auth.redirects import fresh_session, local_page
from tgm.auth.service import Person
from tgm.extensions import login_manager
from tgm.i18n import LANGUAGES, THEMES
from tgm.refusals import beside_fields
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_

bp = Blueprint("auth", __name__)

_HALF_WAY_SECONDS = 10 * 60


@bp.record_once
def prepare(_state: BlueprintSetupState) -> None:
    """Say in the reader's language why the sign-in page appears."""
    login_manager.login_message = N_("Please sign in first.")
    login_manager.login_message_category = "info"
    login_manager.localize_callback = _


@bp.app_context_processor
def people() -> dict[str, object]:
    """Give every template the place at hand, and the roles' names."""
    return {"place_at_hand": access.place_at_hand, "role_names": ROLE_NAMES}


@bp.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for e-mail address and password."""
    if current_user.is_authenticated:
        return redirect(_next(), 303)
    form = SignInForm()
    if form.validate_on_submit():
        with beside_fields(form):
            person = service.check_password(
                form.email.data or "", form.password.data or "", request.remote_addr
            )
            if not person.has_totp:
                return _enter(person)
            target = _next()
            fresh_session()
            session["half_way"] = {"id": person.get_id(), "at": int(time.time()), "next": target}
            return redirect(url_for(".second_step"), 303)
    nobody = not service.has_users()
    return render_template("auth/sign_in.html", form=form, nobody=nobody), _status()


@bp.route("/second-step", methods=["GET", "POST"])
def second_step() -> ResponseReturnValue:
    """Ask who has given the right password for a code."""
    person = _half_way()
    if person is None:
        session.pop("half_way", None)
        return redirect(url_for(".sign_in"), 303)
    form = SecondStepForm()
    if form.validate_on_submit():
        with beside_fields(form):
            service.check_second_step(person, form.code.data or "", request.remote_addr, utcnow())
            return _enter(person, session["half_way"]["next"])
    return render_template("auth/second_step.html", form=form), _status()


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this session."""
    if current_user.is_authenticated:
        service.signed_out(access.current_person(), access.current_actor())
    logout_user()
    fresh_session()
    return redirect(url_for(".sign_in"), 303)


@bp.route("/setup/<token>", methods=["GET", "POST"])
def setup(token: str) -> ResponseReturnValue:
    """Make the owner and the team. Like an unknown address once that is done."""
    if service.has_users() or not setup_link.is_token(token, current_app.secret_key or ""):
        abort(404)
    form = SetUpForm()
    if form.validate_on_submit():
        with beside_fields(form):
            actor = Actor((form.email.data or "").strip(), request.remote_addr)
            person = service.set_up(
                form.email.data or "", form.password.data or "", form.team_name.data or "", actor
            )
            return _enter(person, url_for("dashboard.home"))
    return render_template("auth/setup.html", form=form), _status()


@bp.route("/invite/<token>", methods=["GET", "POST"])
def invite(token: str) -> ResponseReturnValue:
    """Let whoever has the link join the team: with a new account, or with their own."""
    offer = service.look_up(token, utcnow())
    if current_user.is_authenticated:
        return _join_as(access.current_person(), token)
    form = JoinForm(email=offer.email)
    if form.validate_on_submit():
        with beside_fields(form):
            person = service.join_as_new(
                token,
                form.email.data or "",
                form.password.data or "",
                request.remote_addr,
                utcnow(),
            )
            return _enter(person, url_for("dashboard.home"))
    return render_template("auth/invite.html", form=form, offer=offer), _status()


@bp.post("/language")
def language() -> ResponseReturnValue:
    """Remember the language that was chosen."""
    chosen = request.form.get("language")
    if chosen in LANGUAGES:
        session["language"] = chosen
    return redirect(local_page(request.form.get("next"), url_for("dashboard.home")), 303)


@bp.post("/theme")
def theme() -> ResponseReturnValue:
    """Remember whether pages are light or dark, or as the reader's system is."""
    chosen = request.form.get("theme")
    if chosen in THEMES:
        session["theme"] = chosen
    return redirect(local_page(request.form.get("next"), url_for("dashboard.home")), 303)


def _join_as(person: Person, token: str) -> ResponseReturnValue:
    if request.method == "POST":
        team_id: ULID = service.join_as(person, token, access.current_actor(), utcnow())
        session["team_id"] = str(team_id)
        return redirect(url_for("dashboard.home"), 303)
    offer = service.look_up(token, utcnow())
    return render_template("auth/accept.html", offer=offer)


def _enter(person: Person, target: str | None = None) -> ResponseReturnValue:
    target = target or _next()
    fresh_session()
    login_user(person)
    token = service.signed_in(person, request.remote_addr, request.user_agent.string)
    session[access.TOKEN] = token.value
    return redirect(target, 303)


def _half_way() -> Person | None:
    """Return who has given the right password less than ten minutes ago."""
    state = session.get("half_way")
    if not state or not 0 <= time.time() - state["at"] <= _HALF_WAY_SECONDS:
        return None
    # A password that was changed meanwhile has raised the epoch: the first step is void.
    return access.person_by_password(cast(str, state["id"]))


def _next() -> str:
    return local_page(request.args.get("next"), url_for("dashboard.home"))


def _status() -> int:
    return 422 if request.method == "POST" else 200
