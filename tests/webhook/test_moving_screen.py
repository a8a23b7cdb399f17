"""Moving a bot in the browser: asked for, watched, turned back."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import csrf_token, submit
from tests.fakes.telegram import TOKEN, FakeTelegram, reply
from tests.making import browser_of, make_team
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.shared.clock import utcnow
from tgm.webhook import mover, moving


@pytest.fixture
def new() -> Iterator[FakeTelegram]:
    with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, "Kasir", COMMAND_LINE)


def address(bot: Bot) -> str:
    return f"/dashboard/bots/{bot.id}/move"


def press(client: FlaskClient, bot: Bot, act: str) -> int:
    token = csrf_token(client.get(address(bot)))
    answer = client.post(f"{address(bot)}/{act}", data={"csrf_token": token})
    return answer.status_code


def test_the_settings_lead_there(signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram) -> None:
    page = signed_in.get(f"/dashboard/bots/{bot.id}/settings").text
    assert telegram.url in page
    assert f'href="{address(bot)}"' in page


def test_a_bot_is_moved_and_watched(signed_in: FlaskClient, bot: Bot, new: FakeTelegram) -> None:
    new.always("getMe", reply(b"<html>", 502))
    answer = submit(signed_in, address(bot), url=new.url, name="Kasir")
    assert answer.status_code == 303
    page = signed_in.get(answer.location).text
    assert "every 3s" in page
    # Without scripts there is a link for it.
    assert f'class="without-script" href="{address(bot)}"' in page
    assert new.url in page
    mover.go_on(utcnow())
    state = signed_in.get(f"{address(bot)}/state").text
    assert "could not be reached" in state
    assert "every 3s" in state
    assert "being moved" in signed_in.get(f"/dashboard/bots/{bot.id}").text
    new.always("getMe", reply({"ok": True, "result": new.bots[TOKEN]}))
    assert press(signed_in, bot, "again") == 303
    mover.go_on(utcnow())
    state = signed_in.get(f"{address(bot)}/state").text
    assert "every 3s" not in state
    assert new.url in state


def test_it_turns_back(signed_in: FlaskClient, bot: Bot, new: FakeTelegram) -> None:
    new.always("getMe", reply(b"<html>", 502))
    submit(signed_in, address(bot), url=new.url, name="Kasir")
    mover.go_on(utcnow())
    assert press(signed_in, bot, "back") == 303
    mover.go_on(utcnow())
    assert moving.of_bot(bot.id) is None
    assert bots.get(bot.team_id, bot.id).api_base_url is None


def test_it_goes_on_without_a_server_that_is_gone(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    telegram.always("deleteWebhook", reply(b"<html>", 502))
    submit(signed_in, address(bot), url=new.url, name="Kasir")
    mover.go_on(utcnow())
    assert "Go on without the old server" in signed_in.get(address(bot)).text
    assert press(signed_in, bot, "leave-behind") == 303
    mover.go_on(utcnow())
    assert bots.get(bot.team_id, bot.id).api_base_url == new.url


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"url": "somewhere", "name": "Kasir"}, "url"),
        ({"url": "", "name": "Kasir"}, "url"),
        ({"url": "http://127.0.0.1:1", "name": "Toko"}, "name"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    signed_in: FlaskClient, bot: Bot, typed: dict[str, str], field: str
) -> None:
    answer = submit(signed_in, address(bot), **typed)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert moving.of_bot(bot.id) is None


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_only_an_admin_moves_it(app: Flask, team: ULID, bot: Bot, role: Role) -> None:
    client = browser_of(app, team, role)
    assert client.get(address(bot)).status_code == 403


def test_another_teams_bot_is_not_there(app: Flask, bot: Bot) -> None:
    client = browser_of(app, make_team("Other"), Role.ADMIN)
    assert client.get(address(bot)).status_code == 404
