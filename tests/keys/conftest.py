"""A bot and a key of the owner's team, and the same of another team."""

import pytest
from ulid import ULID

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.keys import service
from tgm.keys.models import ApiKey
from tgm.keys.rights import Rights


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


@pytest.fixture
def key(team: ULID) -> ApiKey:
    return service.make(team, Rights("Kasir"), COMMAND_LINE)[0]


@pytest.fixture
def foreign_bot(owner: Person, telegram: FakeTelegram) -> Bot:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    return bots.add(make_team("Others"), OTHER_TOKEN, None, COMMAND_LINE)


@pytest.fixture
def foreign_key(foreign_bot: Bot) -> ApiKey:
    return service.make(foreign_bot.team_id, Rights("Foreign"), COMMAND_LINE)[0]
