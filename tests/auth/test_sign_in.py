"""Signing in and out, and where it leads."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.auth.conftest import AddPerson, Browser, again
from tests.browsing import sign_in, submit, without_tokens
from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm.audit.models import AuditEntry
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service
from tgm.auth.models import User
from tgm.auth.passwords import METHOD, STAND_IN, is_right
from tgm.auth.service import Person
from tgm.extensions import db
from tgm.shared.errors import Invalid


@pytest.fixture
def enrolled(app: Flask) -> Person:
    """An owner whose password was hashed as everybody's is, which costs what it should."""
    return service.set_up(OWNER, PASSWORD, "Team", COMMAND_LINE)


def test_the_right_password_opens_the_dashboard(client: FlaskClient, owner: Person) -> None:
    answer = sign_in(client, OWNER, PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/dashboard/")
    assert client.get("/dashboard/").status_code == 200


def test_an_address_is_the_same_in_any_case(client: FlaskClient, owner: Person) -> None:
    assert sign_in(client, " Owner@Example.COM ", PASSWORD).status_code == 303


def test_a_wrong_password_is_refused_and_the_address_kept(
    client: FlaskClient, owner: Person
) -> None:
    answer = sign_in(client, OWNER, "not the password")
    assert answer.status_code == 422
    assert "The e-mail address or the password is wrong." in answer.text
    assert f'value="{OWNER}"' in answer.text
    assert "not the password" not in answer.text


def test_an_unknown_account_gets_the_same_answer(client: FlaskClient, owner: Person) -> None:
    known = sign_in(client, OWNER, "not the password")
    unknown = sign_in(client, "other@example.com", "not the password")
    assert unknown.status_code == known.status_code
    assert without_tokens(unknown).replace("other@example.com", OWNER) == without_tokens(known)


def test_an_unknown_account_costs_the_same_hash_and_the_same_write(enrolled: Person) -> None:
    checked: list[str] = []

    def check(kept: str, password: str) -> bool:
        checked.append(kept.partition("$")[0])
        return False

    def entries() -> int:
        db.session.rollback()
        return db.session.scalar(select(func.count()).select_from(AuditEntry)) or 0

    before = entries()
    for email in (OWNER, "nobody@example.com"):
        with pytest.raises(Invalid):
            service.check_password(email, "not the password", None, check=check)
    assert checked == [METHOD, METHOD]
    assert entries() == before + 2


def test_the_hash_is_scrypt_and_the_stand_in_costs_as_much(enrolled: Person) -> None:
    kept = db.session.get_one(User, enrolled.id).password_hash
    assert kept.startswith(METHOD + "$")
    assert METHOD.startswith("scrypt:")
    assert [len(part) for part in STAND_IN.split("$")] == [len(part) for part in kept.split("$")]


def test_no_password_opens_an_account_that_is_not_there() -> None:
    assert not is_right("anything", None, lambda kept, password: True)


def test_an_account_opens_only_by_its_own_password(enrolled: Person) -> None:
    kept = db.session.get_one(User, enrolled.id).password_hash
    assert is_right(PASSWORD, kept)
    assert not is_right(PASSWORD + " ", kept)


def test_nothing_but_the_pages_looks_outlives_the_sign_in(
    client: FlaskClient, owner: Person
) -> None:
    with client.session_transaction() as session:
        session.update(language="id", theme="dark", planted="before")
    sign_in(client, OWNER, PASSWORD)
    with client.session_transaction() as session:
        assert (session["language"], session["theme"]) == ("id", "dark")
        assert "planted" not in session


def test_sign_in_returns_to_the_page_that_was_asked_for(client: FlaskClient, owner: Person) -> None:
    asked = client.get("/dashboard/people")
    assert asked.status_code == 302
    answer = submit(client, asked.location, email=OWNER, password=PASSWORD)
    assert answer.location == "/dashboard/people"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/",
        # A path of ours, were it not for the second slash, which makes it a host.
        "//dashboard/people",
        "dashboard/people",
        "/\\evil.example/",
        "\\\\evil.example/",
        "https://evil.example/",
        "https:evil.example",
        "/\t/evil.example/",
        "/\n/evil.example/",
        "javascript:alert(1)",
        "evil.example",
        "/auth/sign-out",
        "/nowhere",
        "",
    ],
)
def test_sign_in_leads_nowhere_else(client: FlaskClient, owner: Person, target: str) -> None:
    client.get("/auth/sign-in")
    page = client.get("/auth/sign-in", query_string={"next": target})
    assert page.status_code == 200
    with client.session_transaction() as session:
        assert session
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post(
        "/auth/sign-in",
        query_string={"next": target},
        data={"csrf_token": token, "email": OWNER, "password": PASSWORD},
    )
    assert (answer.status_code, answer.location) == (303, "/dashboard/")


def test_signing_out_takes_a_post_and_ends_the_session(signed_in: FlaskClient) -> None:
    assert signed_in.get("/auth/sign-out").status_code == 405
    assert signed_in.get("/dashboard/").status_code == 200
    assert submit(signed_in, "/dashboard/", "/auth/sign-out").status_code == 303
    assert signed_in.get("/dashboard/").status_code == 302


def test_signing_out_everywhere_ends_every_session(owner: Person, browser: Browser) -> None:
    here, there = browser(owner), browser(owner)
    submit(here, "/dashboard/account", "/dashboard/account/sign-out-everywhere")
    assert here.get("/dashboard/").status_code == 302
    assert there.get("/dashboard/").status_code == 302
    assert browser(owner).get("/dashboard/").status_code == 200


def test_a_session_that_moves_to_another_browser_ends(signed_in: FlaskClient) -> None:
    moved = signed_in.get("/dashboard/", headers={"User-Agent": "another browser"})
    assert moved.status_code == 302


def test_a_removed_person_is_out_at_once(browser: Browser, add_person: AddPerson) -> None:
    person = add_person("gone@example.com")
    open_browser = browser(person)
    service.remove_user("gone@example.com", None, COMMAND_LINE)
    assert open_browser.get("/dashboard/").status_code == 302


def test_the_last_sign_in_is_remembered(owner: Person, browser: Browser) -> None:
    assert service.list_users()[0].signed_in_at is None
    browser(again(owner))
    db.session.rollback()
    assert service.list_users()[0].signed_in_at is not None


def test_the_language_switch_holds_and_returns(client: FlaskClient) -> None:
    answer = submit(client, "/auth/sign-in", "/auth/language", language="id", next="/auth/sign-in")
    assert (answer.status_code, answer.location) == (303, "/auth/sign-in")
    assert '<html lang="id"' in client.get("/auth/sign-in").text
    answer = submit(client, "/auth/sign-in", "/auth/language", language="xx", next="//evil.example")
    assert answer.location == "/dashboard/"
    assert '<html lang="id"' in client.get("/auth/sign-in").text
