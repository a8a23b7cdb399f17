"""A person's own account, and the command line's way back in."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.auth.conftest import AddPerson, Browser
from tests.browsing import sign_in, submit
from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service
from tgm.auth.models import User
from tgm.auth.roles import Role
from tgm.auth.service import Person, TeamPlace
from tgm.auth.teams import join
from tgm.database import writing
from tgm.shared.errors import Conflict, Invalid, NotFound

NEW = "another fine password"
PAGE = "/dashboard/account/password"


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(
    app: Flask, owner: Person, browser: Browser
) -> None:
    here, there = browser(owner), browser(owner)
    answer = submit(here, PAGE, current=PASSWORD, password=NEW)
    assert (answer.status_code, answer.location) == (303, "/dashboard/account")
    assert here.get("/dashboard/account").status_code == 200
    assert there.get("/dashboard/account").status_code == 302
    assert sign_in(app.test_client(), OWNER, PASSWORD).status_code == 422
    assert sign_in(app.test_client(), OWNER, NEW).status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "sentence"),
    [
        ("wrong", NEW, "The password is wrong."),
        (PASSWORD, "short", "A password has 10 to 256 characters."),
        (PASSWORD, OWNER, "The e-mail address cannot be the password."),
        ("", NEW, "Please give a password."),
    ],
)
def test_a_password_is_not_changed_without_the_current_one_and_a_good_one(
    signed_in: FlaskClient, app: Flask, current: str, new: str, sentence: str
) -> None:
    answer = submit(signed_in, PAGE, current=current, password=new)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert sign_in(app.test_client(), OWNER, PASSWORD).status_code == 303


def test_the_command_line_resets_a_password_and_ends_every_session(
    app: Flask, owner: Person, browser: Browser
) -> None:
    open_browser = browser(owner)
    service.reset_password(OWNER.upper(), NEW, COMMAND_LINE)
    assert open_browser.get("/dashboard/").status_code == 302
    assert sign_in(app.test_client(), OWNER, NEW).status_code == 303
    with pytest.raises(Invalid):
        service.reset_password(OWNER, OWNER, COMMAND_LINE)
    with pytest.raises(NotFound):
        service.reset_password("nobody@example.com", NEW, COMMAND_LINE)


def test_the_first_user_added_makes_the_team(app: Flask) -> None:
    with pytest.raises(Conflict, match="no team yet"):
        service.only_team()
    service.add_user(OWNER, PASSWORD, Role.OWNER, None, COMMAND_LINE)
    [row] = service.list_users()
    assert (row.email, row.role) == (OWNER, Role.OWNER)
    assert service.only_team().name == row.team


def test_later_users_join_the_only_team(owner: Person, team: TeamPlace) -> None:
    service.add_user("two@example.com", PASSWORD, Role.VIEWER, None, COMMAND_LINE)
    assert [row.email for row in service.list_users(team.team_id)] == [OWNER, "two@example.com"]
    with pytest.raises(Conflict):
        service.add_user("TWO@example.com", PASSWORD, Role.VIEWER, None, COMMAND_LINE)


def test_with_several_teams_one_must_be_chosen(owner: Person, other_team: ULID) -> None:
    with pytest.raises(Conflict, match="--team"):
        service.only_team()
    with pytest.raises(Conflict, match="--team"):
        service.add_user("two@example.com", PASSWORD, Role.VIEWER, None, COMMAND_LINE)
    assert service.find_team("Warung").id == other_team
    assert service.find_team(str(other_team)).id == other_team
    with pytest.raises(NotFound):
        service.find_team("Kedai")


def test_a_user_is_removed_from_one_team_or_from_all(
    add_person: AddPerson, other_team: ULID
) -> None:
    person = add_person("two@example.com")
    with writing() as session:
        join(session, other_team, session.get_one(User, person.id), Role.ADMIN)
    service.remove_user("two@example.com", "Warung", COMMAND_LINE)
    kept = service.person(person.id)
    assert kept is not None
    assert [place.team_name for place in kept.places] == ["Team"]
    service.remove_user("two@example.com", None, COMMAND_LINE)
    assert service.person(person.id) is None
    with pytest.raises(NotFound):
        service.remove_user("two@example.com", None, COMMAND_LINE)


def test_a_person_in_two_teams_chooses_the_one_at_hand(
    signed_in: FlaskClient, owner: Person, team: TeamPlace, other_team: ULID
) -> None:
    with writing() as session:
        join(session, other_team, session.get_one(User, owner.id), Role.VIEWER)
    assert "<h1>" in signed_in.get("/dashboard/").text
    assert signed_in.get("/dashboard/people/invite").status_code == 200
    answer = submit(signed_in, "/dashboard/", "/dashboard/account/team", team=str(other_team))
    assert answer.status_code == 303
    assert signed_in.get("/dashboard/people/invite").status_code == 403


def test_nobody_chooses_a_team_that_is_not_theirs(signed_in: FlaskClient, other_team: ULID) -> None:
    answer = submit(signed_in, "/dashboard/", "/dashboard/account/team", team=str(other_team))
    assert answer.status_code == 404
