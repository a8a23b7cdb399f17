"""What the test-send page shows. For views."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import request, url_for
from ulid import ULID

from tgm.bots.models import Bot
from tgm.errors import sentence
from tgm.extensions import runtime
from tgm.settings import MEBIBYTE
from tgm.shared.errors import TgmError
from tgm.shared.ids import new_id
from tgm.telegram import catalog
from tgm.testsend import fields, keyboard, snippets
from tgm.testsend.draft import Draft
from tgm.testsend.fields import Kind
from tgm.testsend.preview import Preview, preview
from tgm.testsend.service import Sent
from tgm.testsend.snippets import Snippet
from tgm.webhook import chats
from tgm.webhook.models import Chat

_SHOWN_CHATS = 6
_PREVIEWED = ("text", "caption")
_LONGEST_PRETTY = 200_000


@dataclass
class Screen:
    """The form and what stands beside it.

    `chat_search` is what the chats are searched by; `opened` is the template that filled the form,
    `template_name` what stands in the field for a name.
    """

    bots: Sequence[Bot]
    bot: Bot
    draft: Draft
    errors: dict[str, str] = field(default_factory=dict)
    sent: Sent | None = None
    chat_search: str = ""
    template_name: str = ""
    opened: str = ""
    once: ULID = field(default_factory=new_id)

    @property
    def usual(self) -> list[str]:
        """The methods that people call most."""
        return list(fields.USUAL)

    @property
    def others(self) -> list[str]:
        """All other methods."""
        return [name for name in catalog.METHODS if name not in fields.USUAL]

    @property
    def main(self) -> list[fields.Field]:
        """The fields in sight."""
        return [one for one in self.draft.form_fields if one.is_main]

    @property
    def more(self) -> list[fields.Field]:
        """The fields that a click shows."""
        return [one for one in self.draft.form_fields if not one.is_main]

    @property
    def is_more_open(self) -> bool:
        """Whether there is something to see below that click."""
        return any(
            self.draft.texts.get(one.name, "").strip() or one.name in self.errors
            for one in self.more
        )

    @property
    def rows(self) -> keyboard.Rows:
        """The keyboard's rows, with room to type."""
        return keyboard.shown(self.draft.rows)

    @property
    def chats(self) -> Sequence[Chat]:
        """The chats to choose from."""
        return chats.search(self.bot.id, self.chat_search, most=_SHOWN_CHATS)

    @property
    def chosen_chat(self) -> Chat | None:
        """The chat whose id stands in the form, if the bot has seen it."""
        text = self.draft.texts.get("chat_id", "").strip()
        number = text.removeprefix("-")
        if not (number.isascii() and number.isdecimal() and len(number) <= 18):
            return None
        return chats.named(self.bot.id, int(text))

    @property
    def is_grave(self) -> bool:
        """Whether the method would break how TGM receives, or lock the bot out."""
        return self.draft.method in fields.GRAVE

    @property
    def has_preview(self) -> bool:
        """Whether the form has a text with a parse mode."""
        names = {one.name for one in self.draft.form_fields}
        return "parse_mode" in names and any(name in names for name in _PREVIEWED)

    @property
    def preview(self) -> Preview:
        """What the text will look like."""
        texts = self.draft.texts
        text = next((texts[name] for name in _PREVIEWED if texts.get(name)), "")
        return preview(text, texts.get("parse_mode", ""))

    @property
    def most_mebibytes(self) -> int:
        """The largest file that may be sent, in MiB."""
        return runtime.settings.max_upload_bytes // MEBIBYTE

    @property
    def has_new_name(self) -> bool:
        """Whether a name was typed to save the call under."""
        return self.template_name.strip() not in {"", self.opened}

    @property
    def address(self) -> str:
        """The address that shows this form again, without what was typed."""
        return url_for(".index", bot=self.bot.id, method=self.draft.method)

    def value(self, one: fields.Field) -> str:
        """Return what stands in a field."""
        return self.draft.texts.get(one.name, "")

    def is_builder(self, one: fields.Field) -> bool:
        """Tell whether the keyboard is shown as buttons, and not as JSON."""
        return one.kind is Kind.KEYBOARD and not self.value(one).strip()

    def complain(self, wrong: Mapping[str, TgmError]) -> None:
        """Put sentences beside fields."""
        self.errors |= {name: sentence(error) for name, error in wrong.items()}

    # The answer

    @property
    def phrase(self) -> str:
        """The answer's status in words."""
        try:
            return HTTPStatus(self.sent.row.status).phrase if self.sent else ""
        except ValueError:
            return ""

    @property
    def answer(self) -> str:
        """The answer's body as a person reads it."""
        return pretty(self.sent.body) if self.sent else ""

    @property
    def snippets(self) -> tuple[Snippet, ...]:
        """The call that was made, for programs."""
        if self.sent is None:
            return ()
        row = self.sent.row
        files = {name: file for name, file in row.left_out.items() if file}
        base = request.url_root.rstrip("/")
        url = f"{base}{url_for('proxy.call', rest=f'{row.bot_id}/{row.method}')}"
        return snippets.of(url, row.parameters, files)


def pretty(body: str) -> str:
    """Return JSON with line ends, anything else as it is."""
    if len(body) > _LONGEST_PRETTY:
        return body
    try:
        found: Any = json.loads(body)
        text = json.dumps(found, ensure_ascii=False, indent=2)
        # Half a surrogate pair, spelled in JSON, would break the page.
        text.encode()
    except (ValueError, RecursionError):
        return body
    return text
