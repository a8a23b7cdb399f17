"""Roles: who may change whom, and the owner that every team keeps."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.auth.conftest import AddPerson, Browser, again
from tests.browsing import csrf_token, submit
from tests.conftest import OWNER
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service
from tgm.auth.roles import Role
from tgm.auth.service import Person, TeamPlace
from tgm.extensions import db
from tgm.shared.errors import Conflict, Forbidden

READING = {"GET", "HEAD", "OPTIONS"}


def url(person: Person, act: str) -> str:
    return f"/dashboard/people/{person.id}/{act}"


def role_of(person: Person) -> Role:
    return again(person).places[0].role


@pytest.mark.parametrize("role", list(Role))
def test_a_role_includes_those_below_it_and_no_others(role: Role) -> None:
    order = [Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER]
    assert [needed for needed in order if role.may(needed)] == order[: order.index(role) + 1]


def test_a_role_is_changed_by_the_form(signed_in: FlaskClient, add_person: AddPerson) -> None:
    person = add_person("two@example.com")
    assert submit(signed_in, url(person, "role"), role="admin").status_code == 303
    assert role_of(person) is Role.ADMIN


def test_a_new_role_holds_at_once(browser: Browser, add_person: AddPerson, team: TeamPlace) -> None:
    person = add_person("two@example.com", Role.ADMIN)
    client = browser(person)
    assert client.get("/dashboard/people/invite").status_code == 200
    service.change_role(team, person.id, Role.VIEWER, COMMAND_LINE)
    assert client.get("/dashboard/people/invite").status_code == 403


def test_removal_asks_for_the_address(signed_in: FlaskClient, add_person: AddPerson) -> None:
    person = add_person("two@example.com")
    answer = submit(signed_in, url(person, "remove"), typed="one@example.com")
    assert answer.status_code == 422
    assert 'value="one@example.com"' in answer.text
    assert submit(signed_in, url(person, "remove"), typed="two@example.com").status_code == 303
    assert service.person(person.id) is None


def test_the_last_owner_stays_owner(signed_in: FlaskClient, owner: Person) -> None:
    answer = submit(signed_in, url(owner, "role"), role="admin")
    assert answer.status_code == 422
    assert "A team needs an owner" in answer.text
    assert role_of(owner) is Role.OWNER


def test_the_last_owner_cannot_be_removed(signed_in: FlaskClient, owner: Person) -> None:
    assert submit(signed_in, url(owner, "remove"), typed=OWNER).status_code == 409
    with pytest.raises(Conflict):
        service.remove_user(OWNER, None, COMMAND_LINE)
    assert role_of(owner) is Role.OWNER


def test_one_of_two_owners_may_go(owner: Person, add_person: AddPerson, team: TeamPlace) -> None:
    other = add_person("two@example.com", Role.OWNER)
    service.change_role(team, owner.id, Role.MEMBER, COMMAND_LINE)
    with pytest.raises(Conflict):
        service.change_role(team, other.id, Role.MEMBER, COMMAND_LINE)


def test_of_owners_who_leave_at_once_one_stays(
    app: Flask, owner: Person, add_person: AddPerson, team: TeamPlace
) -> None:
    owners = [owner, *(add_person(f"p{n}@example.com", Role.OWNER) for n in range(3))]

    def leave(person: Person) -> bool:
        with app.app_context():
            try:
                service.change_role(team, person.id, Role.VIEWER, COMMAND_LINE)
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(leave, owners)) == 3
    db.session.rollback()
    assert [row.role for row in service.list_users()].count(Role.OWNER) == 1


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        (Role.VIEWER, Role.ADMIN, True),
        (Role.ADMIN, Role.VIEWER, True),
        (Role.MEMBER, Role.OWNER, False),
        (Role.OWNER, Role.MEMBER, False),
    ],
)
def test_an_admin_changes_everybody_but_owners(
    add_person: AddPerson, team: TeamPlace, before: Role, after: Role, allowed: bool
) -> None:
    person = add_person("two@example.com", before)
    admin = TeamPlace(team.team_id, team.team_name, Role.ADMIN)
    with nullcontext() if allowed else pytest.raises(Forbidden):
        service.change_role(admin, person.id, after, COMMAND_LINE)
    assert role_of(person) is (after if allowed else before)


def test_an_admin_cannot_remove_an_owner(
    browser: Browser, owner: Person, add_person: AddPerson
) -> None:
    client = browser(add_person("admin@example.com", Role.ADMIN))
    add_person("two@example.com", Role.OWNER)
    assert submit(client, url(owner, "remove"), typed=OWNER).status_code == 403
    assert service.person(owner.id) is not None


@pytest.mark.parametrize("act", ["role", "remove"])
def test_another_teams_people_are_like_nobody(
    browser: Browser, add_person: AddPerson, owner: Person, other_team: ULID, act: str
) -> None:
    person = add_person("two@example.com")
    client = browser(add_person("elsewhere@example.com", Role.OWNER, other_team))
    token = csrf_token(client.get("/dashboard/people/invite"))
    fields = {"csrf_token": token, "role": "viewer", "typed": "two@example.com"}
    assert client.get(url(person, act)).status_code == 404
    assert client.post(url(person, act), data=fields).status_code == 404
    assert role_of(person) is Role.MEMBER
    assert "two@example.com" not in client.get("/dashboard/people").text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.ADMIN])
def test_a_lower_role_can_change_nothing_above_it(
    app: Flask, browser: Browser, add_person: AddPerson, role: Role
) -> None:
    client = browser(add_person("two@example.com", role))
    token = csrf_token(client.get("/dashboard/"))
    let_in = []
    for rule in app.url_map.iter_rules():
        needed = getattr(app.view_functions[rule.endpoint], "needed_role", Role.VIEWER)
        if role.may(needed) or not set(rule.methods or ()) - READING:
            continue
        with app.test_request_context():
            address = rule.build(dict.fromkeys(rule.arguments, ULID()))
        assert address is not None
        if client.post(address[1], data={"csrf_token": token}).status_code != 403:
            let_in.append(rule.endpoint)
    assert let_in == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_only_admins_manage_people(
    browser: Browser, add_person: AddPerson, owner: Person, role: Role
) -> None:
    client = browser(add_person("two@example.com", role))
    token = csrf_token(client.get("/dashboard/"))
    revoke = f"/dashboard/people/invitations/{ULID()}/revoke"
    for address in (
        "/dashboard/people/invite",
        revoke,
        url(owner, "role"),
        url(owner, "remove"),
    ):
        assert client.post(address, data={"csrf_token": token}).status_code == 403, address


def test_a_viewer_sees_the_people_and_no_way_to_change_them(
    browser: Browser, add_person: AddPerson
) -> None:
    page = browser(add_person("two@example.com", Role.VIEWER)).get("/dashboard/people").text
    assert OWNER in page
    assert "Invite" not in page
    assert "/remove" not in page
