"""The request log's filter, as it stands in the address."""

from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields import DateTimeLocalField
from wtforms.validators import Length, Optional, Regexp

from tgm.i18n import aware
from tgm.proxy.requestlog import Filter
from tgm.shared.ids import parse_id


def _statuses() -> dict[str, Any]:
    return {
        "": str(_("Any")),
        "2": str(_("2xx: done")),
        "4": str(_("4xx: refused")),
        "5": str(_("5xx: failed")),
        "429": str(_("429: too many calls")),
        "502": str(_("502: Telegram not reached")),
    }


class FilterForm(FlaskForm):  # type: ignore[misc]
    """Nothing is changed by it, so it is sent by GET and carries no token."""

    class Meta:
        csrf = False

    bot = SelectField(_("Bot"), validators=[Optional()], validate_choice=False)
    key = SelectField(_("API key"), validators=[Optional()], validate_choice=False)
    method = StringField(
        _("Method"),
        validators=[Optional(), Length(max=64), Regexp("[A-Za-z]+$", message=_("Letters only."))],
    )
    status = SelectField(_("Status"), choices=_statuses, validators=[Optional()])
    since = DateTimeLocalField(_("From"), validators=[Optional()])
    until = DateTimeLocalField(_("Until"), validators=[Optional()])

    def wanted(self) -> Filter:
        """Return the filter; fields that cannot be read do not count."""
        good = {name: field.data for name, field in self._fields.items() if not field.errors}
        return Filter(
            bot_id=parse_id(good.get("bot") or ""),
            key_id=parse_id(good.get("key") or ""),
            method=good.get("method") or None,
            status=int(good["status"]) if good.get("status") else None,
            since=_meant(good.get("since")),
            until=_meant(good.get("until")),
        )


def _meant(value: datetime | None) -> datetime | None:
    try:
        return None if value is None else aware(value)
    except OverflowError:
        # The first or last day that there is, in another zone.
        return None
