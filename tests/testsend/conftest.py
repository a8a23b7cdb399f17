"""A team with a bot, and its owner at the test-send screen."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.browsing import csrf_token
from tests.fakes.telegram import TOKEN, FakeTelegram
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db
from tgm.webhook.chats import ChatNotes
from tgm.webhook.facts import ChatFacts

PAGE = "/dashboard/test-send"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

Press = Callable[..., TestResponse]


@pytest.fixture
def bot(owner: Person, telegram: FakeTelegram) -> Bot:
    bot = bots.add(owner.places[0].team_id, TOKEN, "Kasir", COMMAND_LINE)
    telegram.requests.clear()
    return bot


@pytest.fixture
def press(signed_in: FlaskClient, bot: Bot) -> Press:
    """Fill in the form and press a button: `to` is the button's own address."""

    def press(method: str = "sendMessage", to: str = "", **typed: Any) -> TestResponse:
        headers = typed.pop("headers", None)
        fields = {
            "csrf_token": csrf_token(signed_in.get(PAGE)),
            "bot": str(bot.id),
            "method": method,
            "shown": method,
            "mode": "form",
            **{name.replace("__", "-"): value for name, value in typed.items()},
        }
        return signed_in.post(
            PAGE + to, data=fields, headers=headers, content_type="multipart/form-data"
        )

    return press


def note_chat(bot: Bot, number: int, title: str, username: str | None = None) -> None:
    """Let the bot have seen a chat."""
    with db.engines[WRITER].begin() as connection:
        seen = (str(bot.id), ChatFacts(number, "group", title, username), NOON)
        ChatNotes().write(connection, [seen])
