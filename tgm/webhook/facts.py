"""What TGM needs to know of an update: which one, of what kind, from whom, and what to search by.

The update itself is kept and delivered byte for byte; nothing here is ever sent to anybody.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tgm.shared.errors import N_, TgmError
from tgm.telegram.catalog import UPDATE_KINDS

MOST_WORDS = 1000
_LONGEST_KIND = 64
_LONGEST_CHAT_KIND = 16
_LONGEST_TITLE = 255
_LONGEST_USERNAME = 64
_UNKNOWN = "unknown"
# What a 64-bit column holds; Telegram's ids need 52 bits.
_LARGEST = 2**63 - 1
_TEXTS = ("data", "text", "caption", "query", "question")
_NAMES = ("title", "first_name", "last_name", "username")
_KINDS = frozenset(UPDATE_KINDS)


class BadUpdate(TgmError):
    """What came is no update: it cannot be read, or has no update_id."""

    code = 400


@dataclass(frozen=True)
class ChatFacts:
    """A chat that the bot can write to, as the update tells of it."""

    id: int
    kind: str
    title: str
    username: str | None


@dataclass(frozen=True)
class Facts:
    """An update's facts. `queue` names what keeps its order: the chat, else the user, else "".

    `callback_id` is what answerCallbackQuery needs, None for all but button presses. `chat` is None
    where the update names none that the bot itself could write to.
    """

    update_id: int
    kind: str
    chat_id: int | None
    user_id: int | None
    queue: str
    words: str
    callback_id: str | None
    chat: ChatFacts | None = None


def read(raw: bytes) -> Facts:
    """Return the facts of an update as Telegram sent it. Raises BadUpdate.

    A kind that is not known yet is taken by the name that Telegram gives it.
    """
    try:
        update = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise BadUpdate(N_("Bad Request: the update is not JSON")) from None
    update_id = _number(update.get("update_id")) if isinstance(update, dict) else None
    if update_id is None or update_id < 0:
        raise BadUpdate(N_("Bad Request: the update has no update_id"))
    kind, content = _content(update)
    message = _part(content, "message")
    chat_id = _id(content, "chat", "voter_chat") or _id(message, "chat")
    user_id = _id(content, "from", "user", "actor")
    callback_id = content.get("id") if kind == "callback_query" else None
    return Facts(
        update_id=update_id,
        kind=_clean(kind)[:_LONGEST_KIND] or _UNKNOWN,
        chat_id=chat_id,
        user_id=user_id,
        queue=f"c{chat_id}" if chat_id else f"u{user_id}" if user_id else "",
        words=_words(content, message),
        callback_id=_clean(callback_id) or None if isinstance(callback_id, str) else None,
        chat=None
        if "business" in kind
        else _chat(_part(content, "chat") or _part(message, "chat")),
    )


def _chat(chat: Mapping[str, Any]) -> ChatFacts | None:
    chat_id, kind = _number(chat.get("id")), chat.get("type")
    if not chat_id or not isinstance(kind, str):
        return None
    names = {name: _clean(text) for name in _NAMES if isinstance(text := chat.get(name), str)}
    title = names.get("title") or " ".join(
        names[name] for name in ("first_name", "last_name") if names.get(name)
    )
    username = names.get("username", "")[:_LONGEST_USERNAME]
    return ChatFacts(
        chat_id, _clean(kind)[:_LONGEST_CHAT_KIND], title[:_LONGEST_TITLE], username or None
    )


def _content(update: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    names = [name for name in update if name != "update_id"]
    kind = next((name for name in names if name in _KINDS), names[0] if names else _UNKNOWN)
    return kind, _part(update, kind)


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> int | None:
    # True is an int to Python, and none to Telegram.
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
        return None
    return value


def _id(of: Mapping[str, Any], *names: str) -> int | None:
    found = (_number(_part(of, name).get("id")) for name in names)
    return next((number for number in found if number), None)


def _words(content: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    found = " ".join(_texts(content, message))
    return _clean(" ".join(found.split()))[:MOST_WORDS]


def _texts(content: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[str]:
    wanted = [(part, name) for part in (content, message) for name in _TEXTS]
    people = [_part(content, name) for name in ("from", "user", "chat")] + [_part(message, "chat")]
    wanted += [(person, name) for person in people for name in _NAMES]
    seen: set[str] = set()
    for part, name in wanted:
        text = part.get(name)
        # A private chat repeats the names of its user.
        if isinstance(text, str) and text not in seen:
            seen.add(text)
            yield text


def _clean(text: str) -> str:
    # JSON can spell half a surrogate pair and a NUL; neither can be stored as text everywhere.
    return text.replace("\0", "").encode(errors="replace").decode()
