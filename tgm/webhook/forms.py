"""The forms of the webhook and delivery screens. What a URL or a kind may be, services decide."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields import DateTimeLocalField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from tgm.bots.models import Bot
from tgm.i18n import aware
from tgm.shared.errors import N_, Invalid
from tgm.shared.ids import parse_id
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook.models import Acknowledge, Endpoint, Reception, State
from tgm.webhook.reading import Search

MOST_CONNECTIONS = 40
# SQLite and PostgreSQL keep 64 bits; a larger number matches nothing and would be an error.
_LARGEST = 2**63 - 1
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def _kind_choices() -> list[tuple[str, str]]:
    return [(kind, kind) for kind in UPDATE_KINDS]


def _kinds_field(label: Any) -> SelectMultipleField:
    return SelectMultipleField(
        label,
        choices=_kind_choices,
        default=list(UPDATE_KINDS),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


def _wanted(chosen: Sequence[str] | None) -> list[str] | None:
    """Return the chosen kinds, None for all of them. Raises Invalid for none."""
    if not chosen:
        raise Invalid(N_("Please choose at least one kind of update."), field="kinds")
    return None if set(chosen) >= set(UPDATE_KINDS) else list(chosen)


def _all_or(kinds: Sequence[str] | None) -> list[str]:
    return list(UPDATE_KINDS if kinds is None else kinds)


class ReceivingForm(FlaskForm):  # type: ignore[misc]
    """What Telegram is asked to send."""

    kinds = _kinds_field(_("Kinds of update that Telegram sends"))
    max_connections = IntegerField(
        _("Connections at once"),
        [
            InputRequired(_("Please give a number.")),
            NumberRange(1, 100, _("From 1 to 100, please.")),
        ],
        default=MOST_CONNECTIONS,
    )

    @classmethod
    def of(cls, reception: Reception | None) -> "ReceivingForm":
        """Return the form filled with what is asked for now, or with what was posted."""
        if reception is None:
            return cls()
        return cls(
            kinds=reception.allowed_updates or list(UPDATE_KINDS),
            max_connections=reception.max_connections,
        )

    def wanted_kinds(self) -> list[str] | None:
        """Return the kinds, None for all. Raises Invalid."""
        return _wanted(self.kinds.data)

    @property
    def is_usual(self) -> bool:
        """Whether nothing but the defaults is asked for."""
        return self.wanted_kinds() is None and self.max_connections.data == MOST_CONNECTIONS


class ActivateForm(ReceivingForm):
    """The first endpoint: one address, and receiving begins."""

    url = StringField(
        _("Your endpoint's URL"), [DataRequired(_("Please give the URL of your endpoint."))]
    )


class EndpointForm(FlaskForm):  # type: ignore[misc]
    """An endpoint's name, address and filter."""

    url = StringField(_("URL"), [DataRequired(_("Please give the URL of your endpoint."))])
    name = StringField(_("Name"), [Length(max=64)])
    kinds = _kinds_field(_("Kinds of update it gets"))
    takes_answers = BooleanField(_("Its answers may name a Bot API method to call"))

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointForm":
        """Return the form filled with the endpoint, or with what was posted."""
        return cls(
            url=endpoint.url,
            name=endpoint.name,
            kinds=_all_or(endpoint.kinds),
            takes_answers=endpoint.takes_answers,
        )

    def wanted_kinds(self) -> list[str] | None:
        """Return the kinds, None for all. Raises Invalid."""
        return _wanted(self.kinds.data)


def _acknowledgements() -> list[tuple[str, str]]:
    return [
        (Acknowledge.AT_ONCE.value, str(_("At once, whatever your endpoint does"))),
        (
            Acknowledge.AFTER_DELIVERY.value,
            str(_("After the delivery, if your program has not answered by then")),
        ),
        (Acknowledge.NEVER.value, str(_("Never: your program answers"))),
    ]


class AcknowledgeForm(FlaskForm):  # type: ignore[misc]
    mode = RadioField(_("When TGM answers a button press"), choices=_acknowledgements)


class SureForm(FlaskForm):  # type: ignore[misc]
    """Only asks."""


def _states() -> list[tuple[str, str]]:
    return [("", str(_("Any"))), *((state.value, str(word)) for state, word in STATES.items())]


STATES = {
    State.DUE: _("waiting"),
    State.CLAIMED: _("being sent"),
    State.DELIVERED: _("delivered"),
    State.DEAD: _("given up"),
}


class FilterForm(FlaskForm):  # type: ignore[misc]
    """The deliveries' filter as it stands in the address. It changes nothing: no token."""

    class Meta:
        csrf = False

    q = StringField(_("Search"), validators=[Optional(), Length(max=200)])
    bot = SelectField(_("Bot"), validators=[Optional()], validate_choice=False)
    # Not `endpoint`: that is url_for's own word.
    to = SelectField(_("Endpoint"), validators=[Optional()], validate_choice=False)
    state = SelectField(_("State"), choices=_states, validators=[Optional()])
    kind = SelectField(
        _("Kind"),
        choices=lambda: [("", str(_("Any"))), *_kind_choices()],
        validators=[Optional()],
    )
    chat = IntegerField(_("Chat id"), validators=[Optional(), NumberRange(-_LARGEST, _LARGEST)])
    since = DateTimeLocalField(_("From"), validators=[Optional()])
    until = DateTimeLocalField(_("Until"), validators=[Optional()])

    def offer(self, bots: Sequence[Bot], endpoints: Iterable[Endpoint]) -> None:
        """Offer the team's bots and endpoints."""
        names = {bot.id: bot.name for bot in bots}
        if "bot" in self:
            self.bot.choices = {"": str(_("Any"))} | {str(bot.id): bot.name for bot in bots}
        self.to.choices = {"": str(_("Any"))} | {
            str(one.id): f"{names[one.bot_id]}: {one.name}"
            for one in endpoints
            if one.bot_id in names
        }

    def wanted(self) -> Search:
        """Return the filter; fields that cannot be read do not count.

        A search for a whole number means an update_id or a chat, any other a text.
        """
        self.validate()
        good = {name: field.data for name, field in self._fields.items() if not field.errors}
        # PostgreSQL takes no NUL in a text.
        searched = str(good.get("q") or "").replace("\0", "").strip()
        number = int(searched) if _NUMBER.fullmatch(searched) else None
        return Search(
            bot=parse_id(good.get("bot") or ""),
            endpoint=parse_id(good.get("to") or ""),
            state=State(good["state"]) if good.get("state") else None,
            kind=good.get("kind") or None,
            chat=good.get("chat"),
            since=_meant(good.get("since")),
            until=_meant(good.get("until")),
            text=searched if searched and number is None else None,
            number=number,
        )


def _meant(value: datetime | None) -> datetime | None:
    try:
        return None if value is None else aware(value)
    except OverflowError:
        # The first or last day that there is, in another zone.
        return None


class TestForm(FlaskForm):  # type: ignore[misc]
    """Which test update to send, and where."""

    to = SelectField(_("Endpoint"))
    what = RadioField(
        _("Kind"),
        choices=lambda: [
            ("message", str(_("A message that somebody wrote"))),
            ("button", str(_("The press of a button"))),
        ],
        default="message",
    )

    def offer(self, bots: Sequence[Bot], endpoints: Iterable[Endpoint]) -> None:
        """Offer the endpoints that take updates."""
        names = {bot.id: bot.name for bot in bots}
        self.to.choices = {
            str(one.id): f"{names[one.bot_id]}: {one.name}"
            for one in endpoints
            if one.bot_id in names and not one.is_paused
        }
