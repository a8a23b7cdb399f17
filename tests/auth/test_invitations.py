"""Invitations by link: single use, expiring, revocable."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from ulid import ULID

from tests.auth.conftest import AddPerson, Browser, again
from tests.browsing import csrf_token, submit, without_tokens
from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm.audit.service import COMMAND_LINE, Actor
from tgm.auth import service
from tgm.auth.models import Invitation
from tgm.auth.roles import Role
from tgm.auth.service import TeamPlace
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.shared.errors import Forbidden, Invalid, NotFound

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NEWCOMER = "new@example.com"
GONE = "This invitation was used or revoked, has expired, or never was."


@pytest.fixture
def token(team: TeamPlace) -> str:
    """A link's token, for whoever has it, as a member."""
    return service.invite(team, Role.MEMBER, None, Actor(OWNER), utcnow()).value


def path(token: str) -> str:
    return f"/auth/invite/{token}"


def test_the_link_is_shown_once_and_kept_as_a_hash(signed_in: FlaskClient) -> None:
    answer = submit(signed_in, "/dashboard/people/invite", role="viewer", email=NEWCOMER)
    [token] = re.findall(r"http://localhost/auth/invite/([\w-]+)<", answer.text)
    people = signed_in.get("/dashboard/people").text
    assert NEWCOMER in people
    assert token not in people
    [kept] = db.session.scalars(select(Invitation))
    assert re.fullmatch("[0-9a-f]{64}", kept.digest)


def test_a_newcomer_chooses_address_and_password_and_is_in(
    app: Flask, team: TeamPlace, token: str
) -> None:
    client = app.test_client()
    assert "Join Team" in client.get(path(token)).text
    answer = submit(client, path(token), email=NEWCOMER, password=PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/dashboard/")
    assert client.get("/dashboard/").status_code == 200
    roles = {row.email: row.role for row in service.list_users(team.team_id)}
    assert roles == {OWNER: Role.OWNER, NEWCOMER: Role.MEMBER}


def test_a_link_works_once(app: Flask, token: str) -> None:
    submit(app.test_client(), path(token), email=NEWCOMER, password=PASSWORD)
    answer = app.test_client().get(path(token))
    assert answer.status_code == 404
    assert GONE in answer.text


def test_of_many_at_once_one_gets_in(app: Flask, token: str) -> None:
    def join(number: int) -> bool:
        with app.app_context():
            try:
                service.join_as_new(token, f"p{number}@example.com", PASSWORD, None, utcnow())
            except NotFound:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(join, range(6))) == 1


def test_a_link_lasts_seven_days(team: TeamPlace) -> None:
    token = service.invite(team, Role.MEMBER, None, COMMAND_LINE, NOON).value
    last = NOON + timedelta(days=7) - timedelta(seconds=1)
    assert service.look_up(token, last).role is Role.MEMBER
    with pytest.raises(NotFound):
        service.look_up(token, NOON + timedelta(days=7))
    with pytest.raises(NotFound):
        service.join_as_new(token, NEWCOMER, PASSWORD, None, NOON + timedelta(days=7))


def test_unknown_used_and_expired_links_look_alike(app: Flask, team: TeamPlace) -> None:
    expired = service.invite(team, Role.MEMBER, None, COMMAND_LINE, NOON - timedelta(days=900))
    pages = {
        without_tokens(app.test_client().get(path(token))).replace(token, "")
        for token in (expired.value, "never-was")
    }
    assert len(pages) == 1


def test_a_signed_in_person_accepts_with_one_press(
    browser: Browser, add_person: AddPerson, other_team: ULID, token: str, team: TeamPlace
) -> None:
    person = add_person("elsewhere@example.com", Role.OWNER, other_team)
    client = browser(person)
    assert "signed in as elsewhere@example.com" in client.get(path(token)).text
    assert submit(client, path(token)).status_code == 303
    roles = {place.team_name: place.role for place in again(person).places}
    assert roles == {"Team": Role.MEMBER, "Warung": Role.OWNER}


def test_who_belongs_to_the_team_already_cannot_use_it_up(
    signed_in: FlaskClient, token: str
) -> None:
    answer = submit(signed_in, path(token))
    assert answer.status_code == 409
    assert "belongs to this team already" in answer.text
    assert service.look_up(token, utcnow()).email is None


def test_an_address_that_has_an_account_signs_in_instead(app: Flask, token: str) -> None:
    answer = submit(app.test_client(), path(token), email=OWNER, password=PASSWORD)
    assert answer.status_code == 422
    assert f"There is a user {OWNER} already." in answer.text
    assert f"/auth/sign-in?next=/auth/invite/{token}" in answer.text


def test_an_invitation_for_one_address_serves_no_other(
    app: Flask, team: TeamPlace, browser: Browser, add_person: AddPerson, other_team: ULID
) -> None:
    token = service.invite(team, Role.MEMBER, NEWCOMER, COMMAND_LINE, utcnow()).value
    client = app.test_client()
    assert f'value="{NEWCOMER}"' in client.get(path(token)).text
    answer = submit(client, path(token), email="other@example.com", password=PASSWORD)
    assert "This invitation is for another e-mail address." in answer.text
    other = browser(add_person("elsewhere@example.com", Role.OWNER, other_team))
    assert submit(other, path(token)).status_code == 422
    assert submit(client, path(token), email=NEWCOMER, password=PASSWORD).status_code == 303


def test_a_revoked_link_is_useless(signed_in: FlaskClient, app: Flask, token: str) -> None:
    [kept] = db.session.scalars(select(Invitation))
    revoke = f"/dashboard/people/invitations/{kept.id}/revoke"
    assert submit(signed_in, "/dashboard/people", revoke).status_code == 303
    assert app.test_client().get(path(token)).status_code == 404
    assert submit(signed_in, "/dashboard/people", revoke).status_code == 404


def test_another_teams_invitation_cannot_be_revoked(
    browser: Browser, add_person: AddPerson, other_team: ULID, token: str
) -> None:
    client = browser(add_person("elsewhere@example.com", Role.OWNER, other_team))
    [kept] = db.session.scalars(select(Invitation))
    revoke = f"/dashboard/people/invitations/{kept.id}/revoke"
    assert submit(client, "/dashboard/people", revoke).status_code == 404
    assert service.look_up(token, utcnow()).email is None


@pytest.mark.parametrize(
    ("inviter", "role", "allowed"),
    [
        (Role.OWNER, Role.OWNER, True),
        (Role.OWNER, Role.VIEWER, True),
        (Role.ADMIN, Role.ADMIN, True),
        (Role.ADMIN, Role.OWNER, False),
    ],
)
def test_nobody_grants_more_than_their_own_role(
    team: TeamPlace, inviter: Role, role: Role, allowed: bool
) -> None:
    by = TeamPlace(team.team_id, team.team_name, inviter)
    with nullcontext() if allowed else pytest.raises(Forbidden):
        service.invite(by, role, None, COMMAND_LINE, NOON)


def test_an_admins_form_does_not_offer_ownership(browser: Browser, add_person: AddPerson) -> None:
    client = browser(add_person("admin@example.com", Role.ADMIN))
    assert 'value="owner"' not in client.get("/dashboard/people/invite").text
    answer = submit(client, "/dashboard/people/invite", role="owner", email="")
    assert answer.status_code == 422
    assert db.session.scalars(select(Invitation)).all() == []


def test_an_invitations_address_must_be_one(signed_in: FlaskClient, team: TeamPlace) -> None:
    answer = submit(signed_in, "/dashboard/people/invite", role="viewer", email="nobody")
    assert answer.status_code == 422
    assert 'value="nobody"' in answer.text
    with pytest.raises(Invalid):
        service.invite(team, Role.VIEWER, "nobody", COMMAND_LINE, NOON)


def test_no_cache_keeps_the_page(app: Flask, token: str) -> None:
    assert app.test_client().get(path(token)).headers["Cache-Control"] == "no-store"


def test_reloading_the_page_with_the_link_makes_no_second_one(
    signed_in: FlaskClient, team: TeamPlace
) -> None:
    page = signed_in.get("/dashboard/people/invite")
    once = re.findall(r'name="once"[^>]*value="([^"]+)"', page.text)[0]
    sent = {"csrf_token": csrf_token(page), "once": once, "role": "viewer", "email": ""}
    assert signed_in.post("/dashboard/people/invite", data=sent).status_code == 200
    repeated = signed_in.post("/dashboard/people/invite", data=sent)
    assert repeated.status_code == 409
    assert "sent already" in repeated.text
    assert len(service.open_invitations(team.team_id, utcnow())) == 1
