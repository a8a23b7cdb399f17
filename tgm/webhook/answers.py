"""A receiver's answer that names a Bot API method, as Telegram's own webhooks allow.

The method is called with the bot's token under the proxy's rules, and at the bot's pace. What an
answer may not ask for: methods that only read, since nobody would see their result, and those that
would break receiving.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tgm.bots.tokens import opened
from tgm.keys import patterns
from tgm.keys.snapshot import KnownBot, Snapshot
from tgm.proxy.owncalls import Asked, OwnCalls
from tgm.security.redaction import redact
from tgm.security.vault import SealBroken, Vault
from tgm.shared.errors import TooManyRequests
from tgm.telegram import catalog
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import TelegramRefused, TelegramUnreachable
from tgm.webhook.claimed import Claimed

log = logging.getLogger(__name__)

# A message's text may have 4096 characters, each of them escaped, and a keyboard beside it.
WHOLE_BYTES = 64 * 1024
# What became of a call, beside what Telegram answers.
OK = "ok"
QUEUED = "queued"
_TOO_MANY = 429
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


class Calls:
    """Calls what answers name: at once, or, where the bot keeps its pace and it is too early, by
    the queue that other calls wait in."""

    def __init__(
        self, telegram: TelegramClient, vault: Vault, snapshot: Snapshot, own: OwnCalls
    ) -> None:
        self._telegram = telegram
        self._vault = vault
        self._snapshot = snapshot
        self._own = own

    def call(self, claimed: Claimed, asked: Wanted) -> str:
        """Return what became of it, in words that fit an attempt. Never raises because of
        Telegram."""
        if asked.refusal is not None:
            return words(asked.method, f"refused: {asked.refusal}")
        bot = self._snapshot.current().bots.get(claimed.bot_id)
        if bot is None:
            return words(asked.method, "refused: there is no such bot")
        order = Asked(claimed.endpoint_id, claimed.id, asked.method, asked.params)
        if not self._own.may_leave(bot, order):
            return self._queue(bot, order)
        try:
            self._telegram.call(opened(self._vault, claimed), asked.method, **asked.params)
        except SealBroken as error:
            log.error("the token of bot %s cannot be opened: %s", claimed.bot_id, error)
            outcome = "token_unreadable"
        except TelegramRefused as error:
            if error.code == _TOO_MANY and bot.keeps_pace:
                # Telegram has certainly not acted on it.
                self._own.pause(bot, error.retry_after)
                return self._queue(bot, order)
            outcome = f"{error.code} {error.params['answer']}"
        except TelegramUnreachable as error:
            outcome = error.failure.value
        else:
            outcome = OK
        return words(asked.method, outcome)

    def _queue(self, bot: KnownBot, order: Asked) -> str:
        try:
            self._own.queue(bot, order)
        except TooManyRequests as error:
            return words(order.method, f"refused: {error.description}")
        return words(order.method, QUEUED)


def words(method: str, outcome: str) -> str:
    """Return what became of a call, as an attempt keeps it."""
    return redact(f"{method} {outcome}".strip())[:_WORDS]


def is_taken_on(called: str) -> bool:
    """Tell whether Telegram has been given the call, or will be."""
    return called.endswith((f" {OK}", f" {QUEUED}"))
