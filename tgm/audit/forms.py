"""The audit log's filter, as it stands in the address."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields import DateTimeLocalField
from wtforms.validators import Length, Optional

from tgm.audit.service import Filter
from tgm.audit.words import ACTORS, GROUPS


def _acts() -> dict[str, Any]:
    groups: dict[str, Any] = {str(_("Any")): [("", str(_("Any")))]}
    for about, acts in GROUPS:
        words = ((action, str(text)) for action, text in acts.items())
        groups[str(about)] = sorted(words, key=lambda act: act[1].lower())
    return groups


class FilterForm(FlaskForm):  # type: ignore[misc]
    """Nothing is changed by it, so it is sent by GET and carries no token."""

    class Meta:
        csrf = False

    who = StringField(_("Who"), validators=[Optional(), Length(max=320)])
    what = SelectField(_("What"), choices=_acts, validators=[Optional()])
    since = DateTimeLocalField(_("Since"), validators=[Optional()])
    until = DateTimeLocalField(_("Until"), validators=[Optional()])

    def wanted(self, aware: Callable[[datetime], datetime]) -> Filter:
        """Return the filter; fields that cannot be read do not count.

        `aware` gives a time that was typed its zone.
        """
        self.validate()
        good = {name: field.data for name, field in self._fields.items() if not field.errors}
        # PostgreSQL takes no NUL in a text.
        who = str(good.get("who") or "").replace("\0", "").strip()
        # What the screen calls `the command line`, the log has another name for.
        known = {str(words).lower(): name for name, words in ACTORS.items()}
        return Filter(
            actor=known.get(who.lower(), who) or None,
            action=good.get("what") or None,
            since=_in_zone(good.get("since"), aware),
            until=_in_zone(good.get("until"), aware),
        )


def _in_zone(value: datetime | None, aware: Callable[[datetime], datetime]) -> datetime | None:
    if value is None:
        return None
    try:
        return aware(value)
    except OverflowError:
        # The first and the last day that can be written, in a zone where they are another day.
        return None
