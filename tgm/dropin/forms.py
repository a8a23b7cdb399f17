"""The choice of the key that the lines for libraries are meant for, as it stands in the address."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField
from wtforms.validators import Optional

from tgm.keys.models import ApiKey


class KeyForm(FlaskForm):  # type: ignore[misc]
    """Nothing is changed by it, so it is sent by GET and carries no token."""

    class Meta:
        csrf = False

    key = SelectField(_("API key"), validators=[Optional()], validate_choice=False)

    def offer(self, keys: Mapping[str, ApiKey]) -> None:
        """Offer the keys that work with the bot."""
        hints = {key_id: f"{key.name} ({key.hint})" for key_id, key in keys.items()}
        self.key.choices = {"": str(_("None: leave a place for it"))} | hints
