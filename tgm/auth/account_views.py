"""A person's own account: password, two-step sign-in, sessions, the team at hand."""

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import login_user, logout_user
from ulid import ULID

from tgm.auth import agents, service, totp
from tgm.auth.access import current_actor, current_person, needs
from tgm.auth.forms import PasswordForm, ProofForm, TotpForm
from tgm.auth.qr import qr_code
from tgm.auth.redirects import fresh_session
from tgm.auth.roles import Role
from tgm.refusals import beside_fields
from tgm.security.secret import Secret
from tgm.security.vault import SealBroken
from tgm.shared.clock import utcnow
from tgm.shared.ids import parse_id

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.get("")
def index() -> ResponseReturnValue:
    """Show what a person can do to their own account, and where they are signed in."""
    person = current_person()
    return render_template(
        "auth/account.html",
        person=person,
        sessions=service.sessions_of(person.id, utcnow()),
        agent=agents.read,
    )


@bp.route("/password", methods=["GET", "POST"])
@needs(Role.VIEWER)
def password() -> ResponseReturnValue:
    """Change the password; this session goes on, every other ends."""
    form = PasswordForm()
    if form.validate_on_submit():
        with beside_fields(form):
            person = service.change_password(
                current_person().id,
                form.current.data or "",
                form.password.data or "",
                current_actor(),
                current_person().session_id,
            )
            login_user(person)
            flash(_("The password was changed. Your other sessions were signed out."))
            return redirect(url_for(".index"), 303)
    return render_template("auth/password.html", form=form), _status()


@bp.route("/two-step", methods=["GET", "POST"])
@needs(Role.VIEWER)
def two_step() -> ResponseReturnValue:
    """Offer a secret for an authenticator app, and turn two-step sign-in on by its first code."""
    person = current_person()
    if person.has_totp:
        return redirect(url_for(".index"), 303)
    secret = _offered_secret()
    form = TotpForm()
    if form.validate_on_submit():
        with beside_fields(form):
            codes = totp.turn_on(person.id, secret, form.code.data or "", utcnow(), current_actor())
            session.pop("totp_offer", None)
            return render_template("auth/recovery_codes.html", codes=codes)
    return render_template(
        "auth/two_step.html",
        form=form,
        secret=secret.value,
        address=totp.address(secret, person.email).value,
        picture=qr_code(totp.address(secret, person.email)),
    ), _status()


@bp.route("/two-step/off", methods=["GET", "POST"])
@needs(Role.VIEWER)
def two_step_off() -> ResponseReturnValue:
    """Turn two-step sign-in off, by the password."""
    form = ProofForm()
    if form.validate_on_submit():
        with beside_fields(form):
            service.turn_off_totp(current_person().id, form.password.data or "", current_actor())
            flash(_("Two-step sign-in is off."))
            return redirect(url_for(".index"), 303)
    return render_template("auth/two_step_off.html", form=form), _status()


@bp.route("/recovery-codes", methods=["GET", "POST"])
@needs(Role.VIEWER)
def recovery_codes() -> ResponseReturnValue:
    """Make new recovery codes, by the password."""
    form = ProofForm()
    if form.validate_on_submit():
        with beside_fields(form):
            codes = service.renew_recovery_codes(
                current_person().id, form.password.data or "", current_actor()
            )
            return render_template("auth/recovery_codes.html", codes=codes)
    return render_template("auth/renew_codes.html", form=form), _status()


@bp.post("/sessions/<ulid:session_id>/end")
@needs(Role.VIEWER)
def end_session(session_id: ULID) -> ResponseReturnValue:
    """End one of the person's sessions."""
    if session_id == current_person().session_id:
        service.signed_out(current_person(), current_actor())
        logout_user()
        fresh_session()
        return redirect(url_for("auth.sign_in"), 303)
    service.end_session(current_person().id, session_id, current_actor())
    flash(_("The session was ended."))
    return redirect(url_for(".index"), 303)


@bp.post("/sign-out-elsewhere")
@needs(Role.VIEWER)
def sign_out_elsewhere() -> ResponseReturnValue:
    """End every session but this one."""
    person = current_person()
    service.end_other_sessions(person.id, person.session_id, current_actor())
    flash(_("You are signed out everywhere but here."))
    return redirect(url_for(".index"), 303)


@bp.post("/sign-out-everywhere")
@needs(Role.VIEWER)
def sign_out_everywhere() -> ResponseReturnValue:
    """End every session, this one too."""
    service.sign_out_everywhere(current_person().id, current_actor())
    logout_user()
    fresh_session()
    flash(_("You were signed out everywhere."))
    return redirect(url_for("auth.sign_in"), 303)


@bp.post("/team")
@needs(Role.VIEWER)
def choose_team() -> ResponseReturnValue:
    """Remember which of the person's teams is at hand."""
    chosen = parse_id(request.form.get("team", ""))
    if chosen not in {place.team_id for place in current_person().places}:
        abort(404)
    session["team_id"] = str(chosen)
    return redirect(url_for("dashboard.home"), 303)


def _offered_secret() -> Secret:
    """Return the secret on offer, the same until it is taken; the session keeps it sealed."""
    user_id = current_person().id
    try:
        return totp.open_offer(user_id, session["totp_offer"])
    except (KeyError, SealBroken):
        session["totp_offer"] = totp.new_offer(user_id)
        return totp.open_offer(user_id, session["totp_offer"])


def _status() -> int:
    return 422 if request.method == "POST" else 200
