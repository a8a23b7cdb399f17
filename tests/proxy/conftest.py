"""A team with a bot and a key, and a program that calls with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from ulid import ULID

from tests.fakes.serving import Got, Served
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.keys import service as keys
from tgm.keys.rights import Rights


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID, telegram: FakeTelegram) -> Bot:
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    telegram.requests.clear()
    return bot


@pytest.fixture
def other_bot(telegram: FakeTelegram) -> Bot:
    """Another team's bot."""
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    bot = bots.add(make_team("Warung"), OTHER_TOKEN, None, COMMAND_LINE)
    telegram.requests.clear()
    return bot


@pytest.fixture
def make_key(team: ULID) -> Callable[..., str]:
    """Make a key of the team and return its secret."""

    def make(**rights: Any) -> str:
        _, secret = keys.make(team, Rights("Program", **rights), COMMAND_LINE)
        return secret.value

    return make


@dataclass(frozen=True)
class Program:
    """A caller: a key, a bot, and the server."""

    served: Served
    bot_id: str
    key: str

    def call(
        self,
        method: str,
        body: bytes | None = b"{}",
        *,
        verb: str = "POST",
        headers: Mapping[str, str] | None = None,
        bot_id: str | None = None,
    ) -> Got:
        """Call a method with JSON unless `headers` say otherwise."""
        sent = {"X-API-Key": self.key}
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        target = f"/api/v1/bots/{bot_id or self.bot_id}/{method}"
        return self.served.call(verb, target, body, sent)


@pytest.fixture
def program(served: Served, bot: Bot, make_key: Callable[..., str]) -> Program:
    """A program whose key may do everything."""
    return Program(served, str(bot.id), make_key(per_minute=100_000))
