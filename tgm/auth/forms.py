"""The forms of people and accounts. What an address or a password may be, the services decide."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, SelectField, StringField
from wtforms.validators import DataRequired, Length

from tgm.auth.once import OnceForm
from tgm.auth.passwords import LONGEST, LONGEST_EMAIL, SHORTEST
from tgm.auth.roles import Role

ROLE_NAMES = {
    Role.VIEWER: _("Viewer"),
    Role.MEMBER: _("Member"),
    Role.ADMIN: _("Admin"),
    Role.OWNER: _("Owner"),
}

_EMAIL = [
    DataRequired(_("Please give an e-mail address.")),
    Length(max=LONGEST_EMAIL, message=_("This is not an e-mail address.")),
]
_PASSWORD = [DataRequired(_("Please give a password."))]
_NEW_PASSWORD = [
    DataRequired(_("Please choose a password.")),
    Length(SHORTEST, LONGEST, _("A password has %(min)d to %(max)d characters.")),
]


class SignInForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(_("E-mail address"), _EMAIL)
    password = PasswordField(_("Password"), _PASSWORD)


class SecondStepForm(FlaskForm):  # type: ignore[misc]
    code = StringField(_("Code"), [DataRequired(_("Please type a code.")), Length(max=64)])


class SetUpForm(FlaskForm):  # type: ignore[misc]
    team_name = StringField(_("Name of your team"), [DataRequired(_("Please name your team."))])
    email = EmailField(_("E-mail address"), _EMAIL)
    password = PasswordField(_("Password"), _NEW_PASSWORD)


class JoinForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(_("E-mail address"), _EMAIL)
    password = PasswordField(_("Password"), _NEW_PASSWORD)


class PasswordForm(FlaskForm):  # type: ignore[misc]
    current = PasswordField(_("Current password"), _PASSWORD)
    password = PasswordField(_("New password"), _NEW_PASSWORD)


class TotpForm(FlaskForm):  # type: ignore[misc]
    code = StringField(_("Code from the app"), [DataRequired(_("Please type a code."))])


class ProofForm(FlaskForm):  # type: ignore[misc]
    password = PasswordField(_("Your password"), _PASSWORD)


class RoleForm(FlaskForm):  # type: ignore[misc]
    """`choices` are the roles that the person at hand may give."""

    role = SelectField(_("Role"))

    def offer(self, most: Role) -> None:
        """Offer the roles up to `most`."""
        self.role.choices = [(r.value, ROLE_NAMES[r]) for r in Role if most.may(r)]


class InviteForm(OnceForm, RoleForm):
    email = EmailField(_("E-mail address (optional)"), [Length(max=LONGEST_EMAIL)])


class RemoveForm(FlaskForm):  # type: ignore[misc]
    typed = StringField(_("E-mail address"), [DataRequired(_("Please type the e-mail address."))])


class SignOutForm(FlaskForm):  # type: ignore[misc]
    """Only asks."""
