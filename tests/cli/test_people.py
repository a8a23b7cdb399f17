"""People and teams on the command line."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import PASSWORD, Outcome, Run
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram

AddUser = Callable[..., Outcome]


@pytest.fixture
def second_team(run: Run, set_up: None) -> str:
    """The name of a second team."""
    return str(run("team", "add", "Warung", "--json").json["name"])


def test_a_further_team_is_added_listed_and_given_an_owner(
    run: Run, add_user: AddUser, second_team: str
) -> None:
    names = [row["name"] for row in run("team", "list", "--json").json["teams"]]
    assert second_team in names
    assert len(names) == 2
    assert second_team in run("team", "list").out
    added = add_user("budi@example.com", "owner", "--team", second_team).json
    assert added["team"] == second_team


@pytest.mark.parametrize("name", ["Warung", " Warung ", "", "x" * 65])
def test_a_team_needs_a_name_of_its_own(run: Run, second_team: str, name: str) -> None:
    assert run("team", "add", name).code == 1
    assert len(run("team", "list", "--json").json["teams"]) == 2


def test_people_are_added_listed_and_removed(run: Run, add_user: AddUser, set_up: None) -> None:
    added = add_user("budi@example.com", "viewer").json
    rows = run("user", "list", "--json").json["users"]
    assert [(row["name"], row["email"], row["role"]) for row in rows] == [
        ("budi@example.com", "budi@example.com", "viewer"),
        ("owner@example.com", "owner@example.com", "owner"),
    ]
    assert rows[0]["id"] == added["id"]
    assert "budi@example.com" in run("user", "list").out
    assert run("user", "remove", "budi@example.com", "--json").json["email"] == "budi@example.com"
    assert len(run("user", "list", "--json").json["users"]) == 1
    assert "needs an owner" in run("user", "remove", "owner@example.com").error


def test_the_first_user_names_the_team_with_the_team_option(run: Run, add_user: AddUser) -> None:
    assert add_user("ani@example.com", "owner", "--team", "Toko").json["team"] == "Toko"


def test_a_password_is_reset_and_two_step_sign_in_turned_off(run: Run, set_up: None) -> None:
    reset = ("user", "reset-password", "owner@example.com", "--password-stdin", "--json")
    assert run(*reset, stdin="another good password").json["email"] == "owner@example.com"
    assert run("user", "disable-totp", "owner@example.com", "--json").code == 0
    for args in (("reset-password", "--password-stdin"), ("disable-totp",), ("remove",)):
        error = run("user", args[0], "nobody@example.com", *args[1:], stdin=PASSWORD).error
        assert "nobody@example.com" in error


@pytest.mark.parametrize(
    "args",
    [("bot", "add", "--token-stdin"), ("bot", "list"), ("key", "add", "Kasir"), ("key", "list")],
)
def test_with_several_teams_one_has_to_be_chosen(
    run: Run, second_team: str, args: tuple[str, ...]
) -> None:
    assert "--team" in run(*args, stdin=TOKEN).error
    assert run(*args, "--team", second_team, stdin=TOKEN).code == 0
    assert "There is no team" in run(*args, "--team", "Nobody", stdin=TOKEN).error


def test_a_team_sees_its_own_bots_and_keys_alone(
    run: Run, second_team: str, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    run("bot", "add", "--token-stdin", "--team", "Team", stdin=TOKEN)
    other = run("bot", "add", "--token-stdin", "--team", second_team, "--json", stdin=OTHER_TOKEN)
    run("key", "add", "Kasir", "--team", "Team")
    for what, names in (("bot", ["Test bot"]), ("key", ["Kasir"])):
        rows = run(what, "list", "--team", "Team", "--json").json[f"{what}s"]
        assert [row["name"] for row in rows] == names
    denied = run("key", "add", "Kasir", "--bot", other.json["id"], "--team", "Team")
    assert denied.error == "There is no such bot."
