"""The inline keyboard as a person builds it: rows of buttons, each with a label and an aim."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tgm.shared.errors import N_, Invalid

FIELD = "reply_markup"
MOST_DATA_BYTES = 64
_NAME = re.compile(r"kb-([0-9]{1,2})-([0-9]{1,2})-(?:text|to)", re.ASCII)
_MORE = re.compile(r"button-([0-9]{1,2})", re.ASCII)
_URL = re.compile(r"(?:https?|tg)://", re.IGNORECASE)


@dataclass(frozen=True)
class Button:
    """A button as typed. `to` is a URL where it begins like one, else callback data."""

    text: str = ""
    to: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was typed."""
        return not self.text.strip() and not self.to.strip()


Rows = tuple[tuple[Button, ...], ...]
# What an empty builder shows.
BLANK: Rows = ((Button(),),)


def read(form: Mapping[str, str]) -> Rows:
    """Return the buttons in a form's fields `kb-<row>-<place>-text` and `-to`, empty ones too."""
    places = sorted(
        {(int(found[1]), int(found[2])) for name in form if (found := _NAME.fullmatch(name))}
    )
    rows: dict[int, list[Button]] = {}
    for row, place in places:
        start = f"kb-{row}-{place}"
        button = Button(form.get(f"{start}-text", ""), form.get(f"{start}-to", ""))
        rows.setdefault(row, []).append(button)
    return tuple(tuple(row) for row in rows.values())


def markup(rows: Rows) -> dict[str, Any] | None:
    """Return the reply_markup, None where there is no button. Raises Invalid."""
    made = [[_made(button) for button in row if not button.is_empty] for row in rows]
    made = [row for row in made if row]
    return {"inline_keyboard": made} if made else None


def _made(button: Button) -> dict[str, str]:
    text, to = button.text.strip(), button.to.strip()
    if not text:
        raise Invalid(N_("The button to “%(to)s” needs a label."), field=FIELD, to=to[:64])
    if not to:
        raise Invalid(
            N_("The button “%(text)s” needs a URL or callback data."), field=FIELD, text=text[:64]
        )
    if _URL.match(to):
        return {"text": text, "url": to}
    if len(to.encode()) > MOST_DATA_BYTES:
        raise Invalid(
            N_("The callback data of “%(text)s” is too long: 64 bytes at most."),
            field=FIELD,
            text=text[:64],
        )
    return {"text": text, "callback_data": to}


def rows_of(markup: object) -> Rows | None:
    """Return the rows that make this reply_markup, None where the builder cannot make it."""
    if not isinstance(markup, dict) or set(markup) != {"inline_keyboard"}:
        return None
    rows = markup["inline_keyboard"]
    if not _is_list_of(rows, list):
        return None
    found = tuple(tuple(_read(button) for button in row) for row in rows)
    if not all(row and all(button is not None for button in row) for row in found):
        return None
    return tuple(tuple(button for button in row if button is not None) for row in found)


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _read(button: object) -> Button | None:
    """Return the button only where `_made` would make the same of it."""
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        return None
    to = button.get("url", button.get("callback_data"))
    if not isinstance(to, str):
        return None
    read = Button(button["text"], to)
    try:
        return read if _made(read) == button else None
    except Invalid:
        return None


def with_row(rows: Rows) -> Rows:
    """Return the rows with an empty one more."""
    return (*rows, (Button(),))


def row_of(pressed: str) -> int | None:
    """Return the row whose "Add a button" was pressed, None for any other button."""
    found = _MORE.fullmatch(pressed)
    return int(found[1]) if found else None


def with_button(rows: Rows, number: int) -> Rows:
    """Return the rows with an empty button more in the row `number`."""
    return tuple((*row, Button()) if at == number else row for at, row in enumerate(rows))


def shown(rows: Sequence[Sequence[Button]]) -> Rows:
    """Return what the builder shows: at least one empty button to type into."""
    return tuple(tuple(row) for row in rows if row) or BLANK
