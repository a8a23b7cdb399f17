"""The form by which a bot is moved. What an address must look like, the service decides."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired


class MoveForm(FlaskForm):  # type: ignore[misc]
    url = StringField(
        _("Address of the new server"), [DataRequired(_("Please give the server's address."))]
    )
    name = StringField(_("Name of the bot"), [DataRequired(_("Please type the bot's name."))])
