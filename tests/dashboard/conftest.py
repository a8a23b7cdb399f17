"""A team with a bot, and what has happened to it."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from ulid import ULID

from tests.fakes.telegram import TOKEN
from tests.proxy.test_request_log import a_row
from tests.webhook.rows import an_update
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import runtime
from tgm.shared.clock import utcnow
from tgm.webhook.facts import read
from tgm.webhook.models import StoredUpdate

Call = Callable[..., None]
Receive = Callable[..., StoredUpdate]


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, "Kasir", COMMAND_LINE)


@pytest.fixture
def call(team: ULID, bot: Bot) -> Call:
    """Note a call for the bot, made some time ago."""

    def call(method: str, status: int = 200, *, ago: timedelta = timedelta(), **more: str) -> None:
        row = {"team_id": str(team), "bot_id": str(bot.id), "at": utcnow() - ago, **more}
        runtime.request_log.add(a_row(method=method, status=status, **row))
        # One after the other, as they come.
        runtime.request_log.flush()

    return call


@pytest.fixture
def receive(bot: Bot) -> Receive:
    """Store an update of the bot's that came in some time ago."""
    numbers = iter(range(1, 10_000))

    def receive(
        kind: str = "message", *, ago: timedelta = timedelta(), is_test: bool = False
    ) -> StoredUpdate:
        said = json.loads(an_update(next(numbers)))
        if kind == "callback_query":
            press = {"id": "9", "from": said["message"]["from"], "data": "yes"}
            said = {"update_id": said["update_id"], kind: {**press, "message": said["message"]}}
        raw = json.dumps(said).encode()
        facts = read(raw)
        update = StoredUpdate(
            bot_id=bot.id,
            update_id=facts.update_id,
            is_test=is_test,
            kind=facts.kind,
            queue=facts.queue,
            chat_id=facts.chat_id,
            user_id=facts.user_id,
            words=facts.words,
            raw=raw,
            received_at=utcnow() - ago,
        )
        with writing() as session:
            session.add(update)
        return update

    return receive
