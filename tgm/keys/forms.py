"""The API keys' forms. What a name, a pattern or a rate may be, the services decide."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from ulid import ULID
from wtforms import (
    DateField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from tgm.auth.once import OnceForm
from tgm.bots.models import Bot
from tgm.keys.models import ApiKey
from tgm.keys.rights import OVERLAP_HOURS, Rights, in_days
from tgm.shared.errors import N_, Invalid
from tgm.shared.ids import parse_id

KEEP, NEVER, ON_DATE = "keep", "never", "date"


def _reaches() -> dict[str, Any]:
    return {"all": str(_("All bots, those added later too")), "chosen": str(_("Only these:"))}


def _expiries() -> dict[str, Any]:
    return {
        NEVER: str(_("Never")),
        "7": str(_("In 7 days")),
        "30": str(_("In 30 days")),
        "90": str(_("In 90 days")),
        "365": str(_("In 365 days")),
        ON_DATE: str(_("After the last day below")),
    }


def _expiries_of_old() -> dict[str, Any]:
    return {KEEP: str(_("As it is now")), **_expiries()}


def _bot_id(value: object) -> str:
    # Whether it is one of the team's bots, the service asks the database: a bot of another team is
    # answered like one that does not exist.
    text = str(value)
    if parse_id(text) is None:
        raise ValueError
    return text


class KeyForm(OnceForm):
    """A key's name and rights, for a new key and for an old one."""

    name = StringField(_("Name"), [DataRequired(_("Please give a name."))])
    reach = RadioField(
        _("Which bots it may use"),
        choices=_reaches,
        default="all",
    )
    bots = SelectMultipleField(
        _("Bots"),
        coerce=_bot_id,
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    methods = TextAreaField(_("Which methods it may call"), default="*")
    per_minute = IntegerField(_("Calls per minute"), [Optional()])
    expires = SelectField(_("Expires"), choices=_expiries, default=NEVER)
    expires_on = DateField(_("Last day (UTC)"), [Optional()])

    def offer(self, bots: Sequence[Bot]) -> None:
        """Offer the team's bots."""
        self.bots.choices = {str(bot.id): f"{bot.name} (@{bot.username})" for bot in bots}

    def rights(self, now: datetime, kept_expiry: datetime | None = None) -> Rights:
        """Return what was asked for. Raises Invalid where two answers contradict each other."""
        return Rights(
            name=self.name.data or "",
            bot_ids=self._bot_ids(),
            methods=self.methods.data or "",
            per_minute=self.per_minute.data,
            expires_at=self._expires_at(now, kept_expiry),
        )

    def _bot_ids(self) -> frozenset[ULID] | None:
        chosen = frozenset(ULID.from_str(text) for text in self.bots.data or ())
        if self.reach.data == "chosen":
            return chosen
        if chosen:
            # Never give more than was perhaps meant.
            raise Invalid(
                N_("You chose single bots: pick “Only these”, or take the choice back."),
                field="bots",
            )
        return None

    def _expires_at(self, now: datetime, kept_expiry: datetime | None) -> datetime | None:
        last_day = self.expires_on.data
        if self.expires.data == ON_DATE:
            if last_day is None:
                raise Invalid(N_("Please give the last day."), field="expires_on")
            return datetime.combine(last_day, time(23, 59, 59), UTC)
        if last_day is not None:
            raise Invalid(
                N_("You gave a last day: choose it here too, or take it back."), field="expires"
            )
        if self.expires.data == KEEP:
            return kept_expiry
        return None if self.expires.data == NEVER else in_days(int(self.expires.data), now)


class EditForm(KeyForm):
    expires = SelectField(_("Expires"), choices=_expiries_of_old, default=KEEP)

    @classmethod
    def of(cls, key: ApiKey, chosen: Sequence[Bot]) -> "EditForm":
        """Return the form filled with the key's rights, or with what was posted."""
        return cls(
            name=key.name,
            reach="all" if key.all_bots else "chosen",
            bots=[str(bot.id) for bot in chosen],
            methods=key.methods,
            per_minute=key.per_minute,
        )


class RotateForm(OnceForm):
    overlap = IntegerField(
        _("Hours the old key goes on working"),
        [InputRequired(_("Please give a number of hours, 0 for none."))],
        default=OVERLAP_HOURS,
    )


class RevokeForm(FlaskForm):  # type: ignore[misc]
    """Only asks."""
