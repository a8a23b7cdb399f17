"""A receiver's answer that names a Bot API method, as Telegram's own webhooks allow.

The method is called with the bot's token under the proxy's rules. What an answer may not ask for:
methods that only read, since nobody would see their result, and those that would break receiving.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tgm.keys import patterns
from tgm.security.redaction import redact
from tgm.telegram import catalog
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import TelegramRefused, TelegramUnreachable
from tgm.telegram.token import BotToken

# A message's text may have 4096 characters, each of them escaped, and a keyboard beside it.
WHOLE_BYTES = 64 * 1024
_WORDS = 255
_METHOD = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
_PARAMETER = re.compile(r"[a-z_]{1,64}", re.ASCII)
_RESERVED = frozenset({"self", "token", "method"})
# Asked by a key, these are about the program's own endpoint; with the bot's token they would change
# how TGM itself receives.
_OF_RECEIVING = frozenset({"setwebhook", "deletewebhook"})


@dataclass(frozen=True)
class Wanted:
    """The method that an answer names, and what goes with it. `refusal` says why it may not."""

    method: str
    params: Mapping[str, Any] = field(repr=False)
    refusal: str | None = None

    @property
    def callback_id(self) -> str | None:
        """The button press that this answers, None where it is another method."""
        if self.method.lower() != "answercallbackquery":
            return None
        found = self.params.get("callback_query_id")
        return found if isinstance(found, str) else None


def wanted(body: bytes, *, is_whole: bool) -> Wanted | None:
    """Return what the body asks for, None where it names no method: most answers do not."""
    try:
        said = json.loads(body) if body.lstrip()[:1] == b"{" else None
    except (ValueError, RecursionError):
        # One that is cut off may have begun to name a method, which must not go unnoticed.
        if not is_whole and b'"method"' in body:
            return Wanted("", {}, "the answer is too long or was cut off")
        return None
    if not isinstance(said, dict) or not isinstance(said.get("method"), str):
        return None
    method = said.pop("method")
    if not _METHOD.fullmatch(method):
        return Wanted("", {}, "this is no method's name")
    return Wanted(catalog.canonical(method), said, _refusal(method, said))


def _refusal(method: str, params: Mapping[str, Any]) -> str | None:
    name = method.lower()
    # No star reaches the methods that would take the bot away; reading ones are left out here.
    if name.startswith("get") or name in _OF_RECEIVING or not patterns.allows(("*",), name):
        return "an answer may not call this method"
    if not all(_PARAMETER.fullmatch(name) and name not in _RESERVED for name in params):
        return "there is a parameter that no method has"
    return None


def call(telegram: TelegramClient, token: BotToken, asked: Wanted) -> str:
    """Call the method and return what became of it, in words that fit an attempt. Never raises
    because of Telegram."""
    if asked.refusal is not None:
        outcome = f"refused: {asked.refusal}"
    else:
        try:
            telegram.call(token, asked.method, **asked.params)
            outcome = "ok"
        except TelegramRefused as error:
            outcome = f"{error.code} {error.params['answer']}"
        except TelegramUnreachable as error:
            outcome = error.failure.value
    return redact(f"{asked.method} {outcome}".strip())[:_WORDS]
