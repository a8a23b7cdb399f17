"""The first set-up, by a link that nobody can guess."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.browsing import submit, without_tokens
from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm import create_app
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service, setup_link
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.settings import Settings
from tgm.shared.errors import Conflict

FORM = {"email": OWNER, "password": PASSWORD, "team_name": "Toko"}


def test_the_link_makes_owner_and_team_and_signs_in(app: Flask, client: FlaskClient) -> None:
    answer = submit(client, setup_link.path(app), **FORM)
    assert (answer.status_code, answer.location) == (303, "/dashboard/")
    assert "Toko" in client.get("/dashboard/").text
    [row] = service.list_users()
    assert (row.email, row.role, row.team) == (OWNER, Role.OWNER, "Toko")


def test_the_page_is_gone_once_there_is_a_user(
    app: Flask, client: FlaskClient, owner: Person
) -> None:
    path = setup_link.path(app)
    assert client.get(path).status_code == 404
    unknown = without_tokens(client.get("/auth/setup/wrong"))
    assert without_tokens(client.get(path)) == unknown.replace("/auth/setup/wrong", path)


def test_until_then_the_sign_in_says_where_the_link_is(app: Flask, client: FlaskClient) -> None:
    page = client.get("/auth/sign-in").text
    assert "Nobody can sign in yet." in page
    assert setup_link.path(app) not in page
    service.set_up(OWNER, PASSWORD, "Toko", COMMAND_LINE)
    assert "Nobody can sign in yet." not in client.get("/auth/sign-in").text


def test_another_token_is_like_no_page(app: Flask, client: FlaskClient) -> None:
    assert client.get("/auth/setup/wrong").status_code == 404
    assert client.get(setup_link.path(app)[:-1]).status_code == 404
    assert client.get("/auth/setup/%C3%A9").status_code == 404


def test_the_link_is_the_same_after_a_restart(app: Flask, settings: Settings) -> None:
    assert setup_link.path(create_app(settings)) == setup_link.path(app)


def test_each_installation_has_its_own_link() -> None:
    assert setup_link.setup_token("one key") != setup_link.setup_token("another key")


def test_the_first_come_is_the_only_one_served(app: Flask) -> None:
    def try_it(number: int) -> bool:
        with app.app_context():
            try:
                service.set_up(f"p{number}@example.com", PASSWORD, f"T{number}", COMMAND_LINE)
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(8))) == 1
    assert len(service.list_users()) == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"password": "short"}, "A password has 10 to 256 characters."),
        ({"password": "x" * 257}, "A password has 10 to 256 characters."),
        ({"password": OWNER}, "The e-mail address cannot be the password."),
        ({"password": OWNER.upper()}, "The e-mail address cannot be the password."),
        ({"email": "nobody"}, "This is not an e-mail address."),
        ({"email": "two words@example.com"}, "This is not an e-mail address."),
        ({"email": ""}, "Please give an e-mail address."),
        ({"team_name": ""}, "Please name your team."),
        ({"team_name": "x" * 65}, "name has 1 to 64 characters."),
    ],
)
def test_a_wrong_form_says_why_and_keeps_what_was_typed(
    app: Flask, client: FlaskClient, wrong: dict[str, str], sentence: str
) -> None:
    typed = {**FORM, **wrong}
    answer = submit(client, setup_link.path(app), **typed)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'value="{typed["team_name"]}"' in answer.text
    assert f'value="{typed["password"]}"' not in answer.text.replace(f'value="{OWNER}"', "", 1)
    assert not service.has_users()


@pytest.mark.parametrize("password", ["aaaaaaaaaa", "1234567890", "x" * 256, "kata sandi é漢字"])
def test_a_password_needs_length_and_nothing_else(password: str, app: Flask) -> None:
    service.set_up(OWNER, password, "Toko", COMMAND_LINE)
    assert service.check_password(OWNER, password, None).email == OWNER
