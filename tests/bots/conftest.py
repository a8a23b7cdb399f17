"""A bot of the owner's team, and one of another team."""

import pytest
from ulid import ULID

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service
from tgm.bots.models import Bot


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID) -> Bot:
    return service.add(team, TOKEN, None, COMMAND_LINE)


@pytest.fixture
def foreign_bot(owner: Person, telegram: FakeTelegram) -> Bot:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    return service.add(make_team("Others"), OTHER_TOKEN, None, COMMAND_LINE)
