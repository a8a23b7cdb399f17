"""The people of the team at hand."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from ulid import ULID

from tgm.auth import agents, service
from tgm.auth.access import current_actor, current_person, current_place, current_team, may, needs
from tgm.auth.forms import InviteForm, RemoveForm, RoleForm, SignOutForm
from tgm.auth.roles import Role
from tgm.auth.service import UserRow
from tgm.refusals import beside_fields
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Forbidden

bp = Blueprint("people", __name__, url_prefix="/people")


@bp.get("")
def index() -> ResponseReturnValue:
    """List the people, and to admins the open invitations."""
    team = current_team()
    invitations = service.open_invitations(team, utcnow()) if may(Role.ADMIN) else []
    return render_template(
        "people/index.html", people=service.list_users(team), invitations=invitations
    )


@bp.route("/invite", methods=["GET", "POST"])
@needs(Role.ADMIN)
def invite() -> ResponseReturnValue:
    """Make an invitation and show its link, once."""
    form = InviteForm(role=Role.MEMBER.value)
    form.offer(current_place().role)
    if form.validate_on_submit():
        form.stop_if_spent()
        with beside_fields(form):
            token = service.invite(
                current_place(),
                Role(form.role.data),
                form.email.data or None,
                current_actor(),
                utcnow(),
            )
            form.spend()
            link = url_for("auth.invite", token=token.value, _external=True)
            return render_template("people/invited.html", link=link)
    return render_template("people/invite.html", form=form), _status()


@bp.post("/invitations/<ulid:invitation_id>/revoke")
@needs(Role.ADMIN)
def revoke(invitation_id: ULID) -> ResponseReturnValue:
    """Make an invitation's link useless."""
    service.revoke(current_place(), invitation_id, current_actor())
    flash(_("The invitation was revoked."))
    return redirect(url_for(".index"), 303)


@bp.route("/<ulid:user_id>/role", methods=["GET", "POST"])
@needs(Role.ADMIN)
def role(user_id: ULID) -> ResponseReturnValue:
    """Give a person another role."""
    row = _row(user_id)
    form = RoleForm(role=row.role.value)
    form.offer(current_place().role)
    if form.validate_on_submit():
        with beside_fields(form):
            service.change_role(current_place(), user_id, Role(form.role.data), current_actor())
            flash(_("The role was changed."))
            return redirect(url_for(".index"), 303)
    return render_template("people/role.html", form=form, row=row), _status()


@bp.route("/<ulid:user_id>/remove", methods=["GET", "POST"])
@needs(Role.ADMIN)
def remove(user_id: ULID) -> ResponseReturnValue:
    """Remove a person, after their address was typed."""
    row = _row(user_id)
    form = RemoveForm()
    if form.validate_on_submit():
        with beside_fields(form):
            service.remove(current_place(), user_id, form.typed.data or "", current_actor())
            flash(_("%(email)s was removed.", email=row.email))
            return redirect(url_for(".index"), 303)
    return render_template("people/remove.html", form=form, row=row), _status()


@bp.route("/<ulid:user_id>/sign-out", methods=["GET", "POST"])
@needs(Role.ADMIN)
def sign_out(user_id: ULID) -> ResponseReturnValue:
    """Show where a person is signed in, and end it all when asked to."""
    row = _row(user_id)
    if not may(row.role):
        raise Forbidden(N_("Only an owner can make, change or remove an owner."))
    form = SignOutForm()
    if form.validate_on_submit():
        service.end_sessions_of(current_place(), user_id, current_actor())
        if user_id == current_person().id:
            return redirect(url_for("auth.sign_in"), 303)
        flash(_("%(email)s was signed out everywhere.", email=row.email))
        return redirect(url_for(".index"), 303)
    sessions = service.sessions_of(user_id, utcnow())
    return render_template(
        "people/sign_out.html", row=row, sessions=sessions, agent=agents.read
    ), _status()


def _row(user_id: ULID) -> UserRow:
    """Return a person of the team at hand; another team's is like one that does not exist."""
    row = next((r for r in service.list_users(current_team()) if r.id == user_id), None)
    if row is None:
        abort(404)
    return row


def _status() -> int:
    return 422 if request.method == "POST" else 200
