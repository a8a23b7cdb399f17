"""The audit log: who did what to whom, from where, and never a secret."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from ulid import ULID

from tests.browsing import csrf_token, sign_in, submit
from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm.audit import service as audit
from tgm.audit.models import AuditEntry
from tgm.audit.service import COMMAND_LINE, Actor
from tgm.audit.words import ACTIONS
from tgm.auth import service
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.auth.teams import make_team
from tgm.database import writing
from tgm.extensions import db
from tgm.shared.errors import Conflict

NEW = "another fine password"


def acts(team_id: ULID) -> list[str]:
    db.session.rollback()
    return [entry.action for entry in audit.page(team_id).rows]


def test_each_act_is_written_down_with_who_and_from_where(
    app: Flask, signed_in: FlaskClient, owner: Person
) -> None:
    team = owner.places[0].team_id
    sign_in(app.test_client(), OWNER, "wrong password")
    person = service.add_user("two@example.com", PASSWORD, Role.VIEWER, None, COMMAND_LINE)
    submit(signed_in, f"/dashboard/people/{person.id}/role", role="member")
    submit(signed_in, f"/dashboard/people/{person.id}/remove", typed="two@example.com")
    submit(signed_in, "/dashboard/people/invite", role="viewer", email="three@example.com")
    submit(signed_in, "/dashboard/account/password", current=PASSWORD, password=NEW)
    submit(signed_in, "/dashboard/", "/auth/sign-out")
    assert acts(team) == [
        "user.signed_out",
        "password.changed",
        "user.invited",
        "user.removed",
        "role.changed",
        "user.added",
        "user.sign_in_refused",
        "user.signed_in",
        "user.set_up",
    ]
    changed = db.session.scalar(select(AuditEntry).where(AuditEntry.action == "role.changed"))
    assert changed is not None
    assert (changed.actor, changed.address) == (OWNER, "127.0.0.1")
    assert (changed.subject_id, changed.subject_name) == (str(person.id), "two@example.com")
    assert changed.details == {"before": "viewer", "after": "member"}


def test_no_secret_is_in_it(app: Flask, signed_in: FlaskClient) -> None:
    sign_in(app.test_client(), OWNER, "a wrong secret")
    sign_in(app.test_client(), "a secret in the wrong field", "another secret")
    submit(signed_in, "/dashboard/account/password", current=PASSWORD, password=NEW)
    page = submit(signed_in, "/dashboard/people/invite", role="viewer", email="").text
    token = page.partition("/auth/invite/")[2].partition("<")[0]
    assert token
    db.session.rollback()
    written = json.dumps(
        [
            [e.actor, e.subject_name, e.subject_id, e.details]
            for e in db.session.scalars(select(AuditEntry))
        ]
    )
    for secret in (PASSWORD, NEW, "secret in the", "a wrong secret", "another secret", token):
        assert secret not in written


def test_refusals_say_why_and_the_unknown_stays_unnamed(app: Flask, owner: Person) -> None:
    sign_in(app.test_client(), OWNER, "wrong password")
    sign_in(app.test_client(), "nobody@example.com", "wrong password")
    refusals = db.session.scalars(
        select(AuditEntry).where(AuditEntry.action == "user.sign_in_refused").order_by("id")
    ).all()
    assert [(e.actor, e.team_id, e.details["reason"]) for e in refusals] == [
        (OWNER, owner.places[0].team_id, "wrong password"),
        ("unknown", None, "unknown account"),
    ]


def test_the_screen_shows_the_newest_first_and_leads_on(
    signed_in: FlaskClient, owner: Person
) -> None:
    with writing() as session:
        for number in range(60):
            audit.record(
                session,
                Actor("somebody", "192.0.2.9"),
                "bot.renamed",
                team_id=owner.places[0].team_id,
                subject_name=f"Bot {number:02}",
            )
    first = signed_in.get("/dashboard/audit").text
    assert first.index("Bot 59") < first.index("Bot 58")
    assert "192.0.2.9" in first
    assert "Bot 05" not in first
    link = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = signed_in.get(link).text
    assert "Bot 05" in second
    assert "Bot 59" not in second


def test_an_invitation_for_nobody_in_particular_is_no_row_of_signs(
    signed_in: FlaskClient, owner: Person
) -> None:
    submit(signed_in, "/dashboard/people/invite", role="member")
    (invited, *_) = audit.page(owner.places[0].team_id).rows
    page = signed_in.get("/dashboard/audit").text
    assert "whoever has the link" in page
    assert invited.subject_id
    assert invited.subject_id not in page


def test_a_team_sees_its_own_acts_only(signed_in: FlaskClient, owner: Person) -> None:
    with writing() as session:
        other = make_team(session, "Warung")
        audit.record(session, COMMAND_LINE, "bot.added", team_id=other.id, subject_name="Theirs")
    assert "Theirs" not in signed_in.get("/dashboard/audit").text


def test_only_admins_may_read_it(app: Flask, owner: Person) -> None:
    for role, status in ((Role.MEMBER, 403), (Role.ADMIN, 200)):
        email = f"{role}@example.com"
        service.add_user(email, PASSWORD, role, None, COMMAND_LINE)
        client = app.test_client()
        sign_in(client, email, PASSWORD)
        assert client.get("/dashboard/audit").status_code == status
        assert ("Audit log" in client.get("/dashboard/").text) is (status == 200)
        assert csrf_token(client.get("/dashboard/"))


def test_nothing_is_written_for_what_did_not_happen(owner: Person) -> None:
    before = acts(owner.places[0].team_id)
    with pytest.raises(Conflict):
        service.remove_user(OWNER, None, COMMAND_LINE)
    assert acts(owner.places[0].team_id) == before


def test_every_act_has_words(owner: Person) -> None:
    db.session.rollback()
    written = set(db.session.scalars(select(AuditEntry.action)))
    assert written <= set(ACTIONS)
