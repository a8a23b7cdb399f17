"""More people, another team, and browsers for them."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import sign_in
from tests.making import PASSWORD, make_person
from tgm.auth import service
from tgm.auth.roles import Role
from tgm.auth.service import Person, TeamPlace
from tgm.auth.teams import make_team
from tgm.database import writing

AddPerson = Callable[..., Person]
Browser = Callable[[Person], FlaskClient]


def again(person: Person) -> Person:
    """Return the person as the database knows them now."""
    found = service.person(person.id)
    assert found is not None, f"{person.email} is gone"
    return found


@pytest.fixture
def team(owner: Person) -> TeamPlace:
    """The owner's place in the first team."""
    return owner.places[0]


@pytest.fixture
def other_team(owner: Person) -> ULID:
    """A second team, without anybody."""
    with writing() as session:
        return make_team(session, "Warung").id


@pytest.fixture
def add_person(team: TeamPlace) -> AddPerson:
    """Add somebody to the first team, or to another one."""

    def add(email: str, role: Role = Role.MEMBER, team_id: ULID | None = None) -> Person:
        return make_person(email, role, team_id or team.team_id)

    return add


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser of its own in which the person has signed in."""

    def open_browser(person: Person) -> FlaskClient:
        client = app.test_client()
        assert sign_in(client, person.email, PASSWORD).status_code == 303
        return client

    return open_browser
