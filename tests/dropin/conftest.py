"""A program that knows nothing of TGM but a host and a token."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from flask import Flask

from tests.fakes.serving import Got, Served
from tests.proxy.conftest import bot, make_key, other_bot, team  # noqa: F401 - fixtures
from tgm.bots.models import Bot
from tgm.dropin.tokens import virtual_token
from tgm.extensions import runtime


@dataclass(frozen=True)
class Library:
    """A caller that was written for Telegram."""

    served: Served
    token: str

    def call(
        self,
        method: str,
        body: bytes | None = b"{}",
        *,
        verb: str = "POST",
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Got:
        sent = {} if body is None else {"Content-Type": "application/json"}
        target = f"/bot{self.token if token is None else token}/{method}"
        return self.served.call(verb, target, body, {**sent, **(headers or {})})

    def file(self, path: str, headers: Mapping[str, str] | None = None) -> Got:
        return self.served.call("GET", f"/file/bot{self.token}/{path}", None, headers)


@pytest.fixture
def key(make_key: Callable[..., str]) -> str:  # noqa: F811
    return make_key()


@pytest.fixture
def library(served: Served, bot: Bot, key: str) -> Library:  # noqa: F811
    return Library(served, virtual_token(bot.telegram_id, key).value)


@pytest.fixture
def arrive(bot: Bot) -> Callable[..., None]:  # noqa: F811
    """Let updates come in for the bot."""
    from tests.dropin.asking import arriving

    return arriving(runtime.relay.inbox, str(bot.id))


@pytest.fixture
def relay(app: Flask) -> Iterator[None]:
    """What takes updates in and delivers them, at work."""
    runtime.relay.start()
    yield
    runtime.relay.stop()
