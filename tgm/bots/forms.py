"""The bots' forms. What a name or a token must look like, the services decide."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired


class AddForm(FlaskForm):  # type: ignore[misc]
    # A password field never shows what was typed again.
    token = PasswordField(_("Token"), [DataRequired(_("Please paste the bot's token."))])
    name = StringField(_("Name in TGM"))


class RenameForm(FlaskForm):  # type: ignore[misc]
    name = StringField(_("Name in TGM"), [DataRequired(_("Please give a name."))])


class TokenForm(FlaskForm):  # type: ignore[misc]
    token = PasswordField(_("New token"), [DataRequired(_("Please paste the bot's token."))])


class DeleteForm(FlaskForm):  # type: ignore[misc]
    name = StringField(_("Name of the bot"), [DataRequired(_("Please type the bot's name."))])
