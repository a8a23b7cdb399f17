"""Where the guide through the first steps stands."""

from datetime import timedelta

import pytest
from ulid import ULID

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.proxy.test_request_log import a_row
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.dashboard import guide
from tgm.dashboard.guide import Known, State, Step, steps
from tgm.database import writing
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.models import ApiKey
from tgm.keys.rights import Rights
from tgm.shared.clock import utcnow

DONE, NEXT, LATER = State.DONE, State.NEXT, State.LATER


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Known(), (NEXT, LATER, LATER)),
        (Known(has_key=True), (NEXT, DONE, LATER)),
        (Known(has_bot=True), (DONE, NEXT, LATER)),
        (Known(has_bot=True, has_key=True), (DONE, DONE, NEXT)),
        (Known(has_bot=True, has_key=True, has_sent=True), (DONE, DONE, DONE)),
        (Known(has_bot=True, has_sent=True), (DONE, DONE, DONE)),
        (Known(is_at_work=True), (DONE, DONE, DONE)),
    ],
)
def test_one_step_after_the_other_is_next(known: Known, expected: tuple[State, ...]) -> None:
    assert tuple(steps(known)) == tuple(zip(Step, expected, strict=True))


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


def next_step(team: ULID) -> Step | None:
    return guide.of_team(team, utcnow()).next


def call(team: ULID, **fields: object) -> None:
    runtime.request_log.add(a_row(**{"team_id": str(team), **fields}))


def ready(team: ULID) -> ApiKey:
    bots.add(team, TOKEN, None, COMMAND_LINE)
    key, _ = keys.make(team, Rights("Program"), COMMAND_LINE)
    return key


def test_it_follows_what_is_there(team: ULID) -> None:
    assert next_step(team) is Step.BOT
    bots.add(team, TOKEN, None, COMMAND_LINE)
    assert next_step(team) is Step.KEY
    key, _ = keys.make(team, Rights("Program"), COMMAND_LINE)
    assert next_step(team) is Step.MESSAGE
    keys.revoke(team, key.id, COMMAND_LINE)
    assert next_step(team) is Step.KEY


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("sendMessage", 200, None),
        ("sendPhoto", 200, None),
        ("sendMessage", 400, Step.MESSAGE),
        ("sendChatAction", 200, Step.MESSAGE),
        ("getMe", 200, Step.MESSAGE),
    ],
)
def test_it_ends_with_the_first_message_that_reached_telegram(
    team: ULID, method: str, status: int, expected: Step | None
) -> None:
    key = ready(team)
    call(team, key_id=str(key.id), method=method, status=status)
    assert next_step(team) is expected


def test_another_teams_message_ends_nothing(team: ULID) -> None:
    ready(team)
    call(ULID(), method="sendMessage", status=200)
    assert next_step(team) is Step.MESSAGE


def test_whoever_has_called_often_needs_no_guide(team: ULID) -> None:
    ready(team)
    for _ in range(guide.WINDOW):
        call(team, method="getMe", status=200)
    assert next_step(team) is None


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(days=3)])
def test_it_does_not_come_back_when_the_log_forgets(team: ULID, later: timedelta) -> None:
    key = ready(team)
    with writing() as session:
        session.get_one(ApiKey, key.id).last_used_at = key.created_at + later
    assert next_step(team) is None


def test_its_last_step_is_about_the_bot_that_was_added_last(
    team: ULID, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "A bot", "a_bot")
    bots.add(team, TOKEN, "Z", COMMAND_LINE)
    last = bots.add(team, OTHER_TOKEN, None, COMMAND_LINE)
    found = guide.of_team(team, utcnow())
    assert (found.bot_id, found.username, found.is_receiving) == (last.id, "a_bot", False)
