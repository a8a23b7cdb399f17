"""The fields of a method's form, made from its parameters, and reading what was typed into them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from tgm.shared.errors import N_, Invalid
from tgm.telegram import parameters
from tgm.telegram.parameters import Parameter

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_LARGEST = 2**63 - 1
_LONG = frozenset({"text", "caption", "description", "explanation"})


class Kind(StrEnum):
    """What a field looks like, and how it is read."""

    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    DECIMAL = "decimal"
    FLAG = "flag"
    CHOICE = "choice"
    CHAT = "chat"
    FILE = "file"
    OPTIONS = "options"
    KEYBOARD = "keyboard"
    JSON = "json"


@dataclass(frozen=True)
class Field:
    """One field. `is_main` ones stand in sight, the others below a heading that opens.

    `choices` are the values of a CHOICE, without the empty one.
    """

    name: str
    type: str
    kind: Kind
    required: bool
    is_main: bool
    choices: tuple[str, ...] = ()

    @property
    def takes_text(self) -> bool:
        """Whether a FILE may also be named by file_id or URL."""
        return self.type != "InputFile"


# The usual methods, and which of their fields stand in sight, in this order.
USUAL: dict[str, tuple[str, ...]] = {
    "sendMessage": ("chat_id", "text", "parse_mode", "reply_markup"),
    "sendPhoto": ("chat_id", "photo", "caption", "parse_mode", "reply_markup"),
    "sendDocument": ("chat_id", "document", "caption", "parse_mode", "reply_markup"),
    "editMessageText": ("chat_id", "message_id", "text", "parse_mode", "reply_markup"),
    "answerCallbackQuery": ("callback_query_id", "text", "show_alert", "url"),
    "deleteMessage": ("chat_id", "message_id"),
    "sendLocation": ("chat_id", "latitude", "longitude", "reply_markup"),
    "sendPoll": (
        "chat_id",
        "question",
        "options",
        "type",
        "correct_option_ids",
        "allows_multiple_answers",
        "is_anonymous",
        "reply_markup",
    ),
}
# The reference calls these optional, since another parameter may stand for them.
_NEEDED = {("editMessageText", "text")}
# They would take the bot away from TGM for a while.
GRAVE = frozenset({"logOut", "close"})


@cache
def of(method: str) -> tuple[Field, ...]:
    """Return the fields of a method's form: those in sight first, the required ones before."""
    known = {one.name: _field(method, one) for one in parameters.of(method)}
    main = USUAL.get(method) or tuple(name for name, one in known.items() if one.required)
    return (
        *(known[name] for name in main),
        *(one for name, one in known.items() if name not in main),
    )


def _field(method: str, one: Parameter) -> Field:
    kind, choices = _kind(method, one)
    usual = USUAL.get(method)
    return Field(
        name=one.name,
        type=one.type,
        kind=kind,
        required=one.required or (method, one.name) in _NEEDED,
        is_main=one.name in usual if usual else one.required,
        choices=choices,
    )


def _kind(method: str, one: Parameter) -> tuple[Kind, tuple[str, ...]]:
    if one.name.endswith("parse_mode"):
        return Kind.CHOICE, ("HTML", "MarkdownV2", "Markdown")
    if (method, one.name) == ("sendPoll", "type"):
        return Kind.CHOICE, ("regular", "quiz")
    if one.name == "chat_id" and one.type in {"Integer or String", "Integer"}:
        return Kind.CHAT, ()
    if "InlineKeyboardMarkup" in one.type:
        return Kind.KEYBOARD, ()
    by_type = {
        "String": Kind.TEXT if one.name in _LONG else Kind.LINE,
        "Integer": Kind.NUMBER,
        "Integer or String": Kind.LINE,
        "Float": Kind.DECIMAL,
        "Boolean": Kind.FLAG,
        "InputFile": Kind.FILE,
        "InputFile or String": Kind.FILE,
        "Array of InputPollOption": Kind.OPTIONS,
    }
    return by_type.get(one.type, Kind.JSON), ()


def value(field: Field, text: str) -> Any:
    """Return what was typed as the parameter's value, None for nothing. Raises Invalid."""
    # Forms send CR LF, whatever was typed; Telegram counts each as a character.
    text = text.replace("\r\n", "\n").replace("\0", "")
    if field.kind is Kind.TEXT:
        return text if text.strip() else None
    text = text.strip()
    return _READERS.get(field.kind, _line)(field, text) if text else None


def written(field: Field, value: Any) -> str:
    """Return the text that `value` is read from."""
    if field.kind is Kind.OPTIONS and (lines := _as_lines(value)) is not None:
        return lines
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return str(value)


def read_json(text: str, name: str) -> Any:
    """Return what a JSON text says. Raises Invalid for the field `name`."""
    try:
        found = json.loads(text, parse_constant=_no_constant)
        # JSON can spell half a surrogate pair, which nothing can send.
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise Invalid(
            N_("This is no JSON: look at line %(line)s, column %(column)s."),
            field=name,
            line=error.lineno,
            column=error.colno,
        ) from None
    except (ValueError, RecursionError):
        raise Invalid(N_("This is no JSON that can be sent."), field=name) from None
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _line(field: Field, text: str) -> Any:
    if field.type.startswith("Integer") and _INTEGER.fullmatch(text):
        return _whole(field, text)
    return text


def _whole(field: Field, text: str) -> int:
    if not _INTEGER.fullmatch(text) or abs(int(text)) > _LARGEST:
        raise Invalid(N_("Please give a whole number."), field=field.name)
    return int(text)


def _decimal(field: Field, text: str) -> float:
    try:
        # Only what JSON takes for a number: neither nan nor 1_000.
        found = json.loads(text.replace(",", "."), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > 1e15:
        raise Invalid(N_("Please give a number."), field=field.name)
    return float(found)


def _flag(field: Field, text: str) -> bool:
    if text not in {"true", "false"}:
        raise Invalid(N_("Please choose one of these."), field=field.name)
    return text == "true"


def _choice(field: Field, text: str) -> str:
    if text not in field.choices:
        raise Invalid(N_("Please choose one of these."), field=field.name)
    return text


def _chat(field: Field, text: str) -> int | str:
    if _INTEGER.fullmatch(text):
        return _whole(field, text)
    if field.type == "Integer" or not text.startswith("@"):
        raise Invalid(N_("Please choose a chat, or type its id or its @name."), field=field.name)
    return text


def _options(field: Field, text: str) -> Any:
    if text.startswith("["):
        return _json(field, text)
    return [{"text": line.strip()} for line in text.splitlines() if line.strip()]


def _json(field: Field, text: str) -> Any:
    found = read_json(text, field.name)
    if field.type.startswith("Array of "):
        if not isinstance(found, list):
            raise Invalid(N_("This has to be a JSON array: […]."), field=field.name)
    elif not isinstance(found, dict):
        raise Invalid(N_("This has to be a JSON object: {…}."), field=field.name)
    return found


def _as_lines(value: Any) -> str | None:
    if not isinstance(value, list):
        return None
    texts = [
        one["text"]
        for one in value
        if isinstance(one, dict) and set(one) == {"text"} and isinstance(one["text"], str)
    ]
    lines = "\n".join(texts)
    if len(texts) != len(value) or lines.startswith("["):
        return None
    return lines if lines.splitlines() == [text.strip() for text in texts] else None


_READERS: dict[Kind, Callable[[Field, str], Any]] = {
    Kind.NUMBER: _whole,
    Kind.DECIMAL: _decimal,
    Kind.FLAG: _flag,
    Kind.CHOICE: _choice,
    Kind.CHAT: _chat,
    Kind.OPTIONS: _options,
    Kind.KEYBOARD: _json,
    Kind.JSON: _json,
}
