"""The choice of what the examples are filled with, as it stands in the address."""

from collections.abc import Mapping

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField
from wtforms.validators import Optional

from tgm.bots.models import Bot
from tgm.keys.models import ApiKey


class ChoiceForm(FlaskForm):  # type: ignore[misc]
    """Nothing is changed by it, so it is sent by GET and carries no token."""

    class Meta:
        csrf = False

    bot = SelectField(_("Bot"), validators=[Optional()], validate_choice=False)
    key = SelectField(_("API key"), validators=[Optional()], validate_choice=False)

    def offer(self, bots: Mapping[str, Bot], keys: Mapping[str, ApiKey]) -> None:
        """Offer the team's bots, and its keys that work."""
        none = str(_("None: leave a place for it"))
        names = {bot_id: f"{bot.name} (@{bot.username})" for bot_id, bot in bots.items()}
        self.bot.choices = {"": none} | names
        hints = {key_id: f"{key.name} ({key.hint})" for key_id, key in keys.items()}
        self.key.choices = {"": none} | hints
