"""Sessions: where a person is signed in, and ending that."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from ulid import ULID

from tests.auth.conftest import AddPerson, Browser
from tests.browsing import csrf_token, sign_in, submit
from tests.conftest import OWNER
from tests.making import PASSWORD, acts
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service, sessions
from tgm.auth.access import TOKEN
from tgm.auth.models import User, UserSession
from tgm.auth.roles import Role
from tgm.auth.service import Person, TeamPlace
from tgm.database import writing
from tgm.extensions import db
from tgm.security.credentials import digest
from tgm.shared.clock import utcnow

ACCOUNT = "/dashboard/account"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW = "another fine password"


def rows(person: Person) -> list[UserSession]:
    db.session.rollback()
    query = select(UserSession).where(UserSession.user_id == person.id).order_by(UserSession.id)
    return list(db.session.scalars(query))


def is_in(client: FlaskClient) -> bool:
    return client.get("/dashboard/").status_code == 200


def token_of(client: FlaskClient) -> str:
    with client.session_transaction() as session:
        return str(session[TOKEN])


def test_each_sign_in_makes_a_session_with_a_token_of_its_own(
    owner: Person, browser: Browser
) -> None:
    tokens = {token_of(browser(owner)), token_of(browser(owner))}
    assert {row.digest for row in rows(owner)} == {digest(token) for token in tokens}
    assert len(tokens) == 2


def test_signing_in_again_in_the_same_browser_takes_nothing_over(
    client: FlaskClient, owner: Person
) -> None:
    sign_in(client, OWNER, PASSWORD)
    first = token_of(client)
    submit(client, "/dashboard/", "/auth/sign-out")
    with client.session_transaction() as session:
        session[TOKEN] = first
    sign_in(client, OWNER, PASSWORD)
    assert token_of(client) != first
    assert [row.digest for row in rows(owner)] == [digest(token_of(client))]


def test_the_token_is_kept_as_a_hash_and_shown_nowhere(
    signed_in: FlaskClient, owner: Person
) -> None:
    token, (row,) = token_of(signed_in), rows(owner)
    assert token not in str(vars(row))
    page = signed_in.get(ACCOUNT).text
    assert token not in page
    assert row.digest not in page


def test_signing_out_ends_the_session_for_a_kept_cookie_too(
    app: Flask, signed_in: FlaskClient, owner: Person
) -> None:
    with signed_in.session_transaction() as session:
        kept = dict(session)
    submit(signed_in, "/dashboard/", "/auth/sign-out")
    assert rows(owner) == []
    thief = app.test_client()
    with thief.session_transaction() as session:
        session.update(kept)
    assert not is_in(thief)


def test_a_session_whose_row_is_gone_is_signed_out(signed_in: FlaskClient, owner: Person) -> None:
    assert is_in(signed_in)
    with writing() as session:
        sessions.forget(session, owner.id)
    assert not is_in(signed_in)


@pytest.mark.parametrize("token", [None, "", "made up", 7])
def test_a_cookie_without_the_right_token_opens_nothing(
    signed_in: FlaskClient, token: object
) -> None:
    with signed_in.session_transaction() as session:
        session[TOKEN] = token
    assert not is_in(signed_in)


def test_another_persons_token_opens_nothing(
    browser: Browser, owner: Person, add_person: AddPerson
) -> None:
    mine, theirs = browser(add_person("two@example.com")), browser(owner)
    token = token_of(theirs)
    with mine.session_transaction() as session:
        session[TOKEN] = token
    assert not is_in(mine)


def test_the_account_names_each_browser_and_marks_this_one(app: Flask, owner: Person) -> None:
    here, there = app.test_client(), app.test_client()
    sign_in(here, OWNER, PASSWORD)
    there.environ_base["HTTP_USER_AGENT"] = FIREFOX
    sign_in(there, OWNER, PASSWORD)
    page = there.get(ACCOUNT).text
    lines = [line for line in page.split("<tr>") if "/end" in line]
    assert len(lines) == 2
    (mine,) = [line for line in lines if "this one" in line]
    assert "Firefox on Linux" in mine
    assert "127.0.0.1" in mine
    (other,) = [line for line in lines if line != mine]
    assert "Another program" in other


def test_a_browser_may_call_itself_anything(app: Flask, owner: Person) -> None:
    client = app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = "<script>alert(1)</script> Firefox/1 " + "x" * 9000
    assert sign_in(client, OWNER, PASSWORD).status_code == 303
    assert "<script>alert" not in client.get(ACCOUNT).text
    assert len(rows(owner)[0].agent) == 255


def test_one_session_is_ended_and_the_others_go_on(owner: Person, browser: Browser) -> None:
    here, there, elsewhere = browser(owner), browser(owner), browser(owner)
    (row,) = [row for row in rows(owner) if row.digest == digest(token_of(there))]
    answer = submit(here, ACCOUNT, f"{ACCOUNT}/sessions/{row.id}/end")
    assert (answer.status_code, answer.location) == (303, ACCOUNT)
    assert [is_in(here), is_in(there), is_in(elsewhere)] == [True, False, True]
    assert acts(owner.places[0].team_id)[-1].action == "session.ended"


def test_ending_this_session_leads_to_the_sign_in(signed_in: FlaskClient, owner: Person) -> None:
    (row,) = rows(owner)
    answer = submit(signed_in, ACCOUNT, f"{ACCOUNT}/sessions/{row.id}/end")
    assert (answer.status_code, answer.location) == (303, "/auth/sign-in")
    assert not is_in(signed_in)


def test_nobody_ends_a_strangers_session(
    browser: Browser, owner: Person, add_person: AddPerson
) -> None:
    mine, theirs = browser(add_person("two@example.com", Role.OWNER)), browser(owner)
    (row,) = rows(owner)
    assert submit(mine, ACCOUNT, f"{ACCOUNT}/sessions/{row.id}/end").status_code == 404
    assert submit(mine, ACCOUNT, f"{ACCOUNT}/sessions/{ULID()}/end").status_code == 404
    assert is_in(theirs)


def test_signing_out_everywhere_else_keeps_this_session(owner: Person, browser: Browser) -> None:
    here, there = browser(owner), browser(owner)
    assert submit(here, ACCOUNT, f"{ACCOUNT}/sign-out-elsewhere").status_code == 303
    assert [is_in(here), is_in(there)] == [True, False]
    (last,) = acts(owner.places[0].team_id)[-1:]
    assert (last.action, last.details) == ("user.signed_out_elsewhere", {"sessions": 1})


def test_a_new_password_leaves_this_session_only(owner: Person, browser: Browser) -> None:
    here, there = browser(owner), browser(owner)
    submit(here, f"{ACCOUNT}/password", current=PASSWORD, password=NEW)
    assert [is_in(here), is_in(there)] == [True, False]
    assert [row.digest for row in rows(owner)] == [digest(token_of(here))]


def test_a_reset_password_leaves_no_session(owner: Person, browser: Browser) -> None:
    client = browser(owner)
    service.reset_password(OWNER, NEW, COMMAND_LINE)
    assert rows(owner) == []
    assert not is_in(client)


def test_signing_out_everywhere_leaves_no_session(owner: Person, browser: Browser) -> None:
    here = browser(owner)
    browser(owner)
    submit(here, ACCOUNT, f"{ACCOUNT}/sign-out-everywhere")
    assert rows(owner) == []


def test_a_removed_persons_sessions_go_with_them(browser: Browser, add_person: AddPerson) -> None:
    person = add_person("two@example.com")
    browser(person)
    service.remove_user(person.email, None, COMMAND_LINE)
    assert rows(person) == []


def people_url(person: Person) -> str:
    return f"/dashboard/people/{person.id}/sign-out"


def test_an_admin_sees_and_ends_a_persons_sessions_after_being_asked(
    browser: Browser, add_person: AddPerson, team: TeamPlace
) -> None:
    person = add_person("two@example.com", Role.ADMIN)
    theirs, admins = browser(person), browser(add_person("admin@example.com", Role.ADMIN))
    assert people_url(person) in admins.get("/dashboard/people").text
    assert "127.0.0.1" in admins.get(people_url(person)).text
    assert is_in(theirs)
    answer = submit(admins, people_url(person))
    assert (answer.status_code, answer.location) == (303, "/dashboard/people")
    assert [is_in(theirs), is_in(admins)] == [False, True]
    last = acts(team.team_id)[-1]
    assert (last.action, last.actor) == ("user.signed_out_everywhere", "admin@example.com")
    assert last.subject_name == "two@example.com"
    assert "Signed in nowhere" in admins.get(people_url(person)).text


def test_only_owners_see_or_end_an_owners_sessions(
    browser: Browser, owner: Person, add_person: AddPerson
) -> None:
    owners = browser(owner)
    admins = browser(add_person("admin@example.com", Role.ADMIN))
    token = csrf_token(admins.get("/dashboard/"))
    assert people_url(owner) not in admins.get("/dashboard/people").text
    assert admins.get(people_url(owner)).status_code == 403
    assert admins.post(people_url(owner), data={"csrf_token": token}).status_code == 403
    assert is_in(owners)
    second = browser(add_person("second@example.com", Role.OWNER))
    assert submit(second, people_url(owner)).status_code == 303
    assert not is_in(owners)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_a_lower_role_sees_nobodys_sessions(
    browser: Browser, owner: Person, add_person: AddPerson, role: Role
) -> None:
    client = browser(add_person("two@example.com", role))
    assert client.get(people_url(owner)).status_code == 403


def test_another_teams_people_are_like_nobody(
    browser: Browser, owner: Person, add_person: AddPerson, other_team: ULID
) -> None:
    client = browser(add_person("elsewhere@example.com", Role.OWNER, other_team))
    token = csrf_token(client.get("/dashboard/people/invite"))
    assert client.get(people_url(owner)).status_code == 404
    assert client.post(people_url(owner), data={"csrf_token": token}).status_code == 404


def test_ending_the_sessions_voids_a_waiting_first_step(
    client: FlaskClient, owner: Person, team: TeamPlace
) -> None:
    with client.session_transaction() as session:
        now = int(utcnow().timestamp())
        session["half_way"] = {"id": owner.get_id(), "at": now, "next": "/dashboard/"}
    assert client.get("/auth/second-step").status_code == 200
    sessions.end_all_of(team, owner.id, COMMAND_LINE)
    assert client.get("/auth/second-step").status_code == 303


def test_being_seen_is_written_down_every_few_minutes(
    signed_in: FlaskClient, owner: Person
) -> None:
    def writes() -> int:
        seen: list[str] = []
        engine = db.engines["writer"]

        def note(*args: object) -> None:
            seen.append(str(args[2]))

        event.listen(engine, "before_cursor_execute", note)
        signed_in.get(ACCOUNT)
        event.remove(engine, "before_cursor_execute", note)
        return sum(statement.startswith("UPDATE sessions") for statement in seen)

    assert writes() == 0
    with writing() as session:
        row = session.scalars(select(UserSession)).one()
        row.seen_at = utcnow() - sessions.SEEN_EVERY - timedelta(seconds=1)
    assert [writes(), writes()] == [1, 0]
    assert utcnow() - rows(owner)[0].seen_at < timedelta(minutes=1)


def test_what_no_cookie_can_belong_to_any_more_is_deleted_at_a_sign_in(
    owner: Person, browser: Browser
) -> None:
    browser(owner)
    (old,) = [row.id for row in rows(owner)]
    with writing() as session:
        session.get_one(UserSession, old).seen_at = utcnow() - timedelta(days=15)
    assert service.sessions_of(owner.id, utcnow()) == []
    browser(owner)
    assert old not in {row.id for row in rows(owner)}


def test_a_screen_costs_no_more_reads_for_it(signed_in: FlaskClient, owner: Person) -> None:
    statements: list[str] = []

    def note(*args: object) -> None:
        statements.append(str(args[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    signed_in.get("/dashboard/account/password")
    event.remove(db.engine, "before_cursor_execute", note)
    asked = [text for text in statements if re.search(r"FROM (sessions|users)\b", text)]
    assert len(asked) == 1


def test_the_stored_user_is_read_anew_at_each_request(
    signed_in: FlaskClient, owner: Person
) -> None:
    with writing() as session:
        session.get_one(User, owner.id).session_epoch += 1
    assert not is_in(signed_in)
