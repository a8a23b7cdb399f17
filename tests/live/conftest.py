"""A team with a bot and an endpoint, a browser that looks on, and a hub in a hurry."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.fakes.telegram import TOKEN
from tests.live.listening import cookie_of
from tests.webhook.rows import make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.live.hub import Hub
from tgm.live.pace import Pace
from tgm.webhook.models import Endpoint


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


@pytest.fixture
def endpoint(bot: Bot) -> Endpoint:
    return make_endpoint(bot.id)


@pytest.fixture
def cookie(signed_in: FlaskClient) -> str:
    return cookie_of(signed_in)


@pytest.fixture
def hub(app: Flask) -> Hub:
    return runtime.live


@pytest.fixture
def pace(hub: Hub) -> Callable[..., None]:
    """Give the hub other times or limits."""

    def give(**times: float) -> None:
        hub.pace = Pace(**times)  # type: ignore[arg-type]

    return give
