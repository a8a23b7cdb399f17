"""Every form is protected, and every page is made the same way."""

import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.conftest import OWNER
from tests.making import PASSWORD
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service, setup_link
from tgm.auth.roles import Role
from tgm.auth.service import Person, TeamPlace
from tgm.blueprints import MOUNTS
from tgm.shared.clock import utcnow

READING = {"GET", "HEAD", "OPTIONS"}
UNPROTECTED = tuple(f"{mount.blueprint.name}." for mount in MOUNTS if not mount.csrf)
FIELDS = {"email": OWNER, "password": PASSWORD, "role": "viewer", "language": "id"}


def changing(app: Flask) -> list[str]:
    """Return the address of every form, with ids that are nobody's."""
    addresses = []
    for rule in app.url_map.iter_rules():
        if set(rule.methods or ()) - READING and not rule.endpoint.startswith(UNPROTECTED):
            with app.test_request_context():
                built = rule.build(dict.fromkeys(rule.arguments, ULID()))
            assert built is not None
            addresses.append(built[1])
    return addresses


def test_no_form_is_taken_without_its_token(app: Flask, signed_in: FlaskClient) -> None:
    addresses = changing(app)
    assert len(addresses) > 15
    taken = [a for a in addresses if signed_in.post(a, data=FIELDS).status_code != 400]
    assert taken == []


def test_no_form_is_taken_with_another_sessions_token(app: Flask, signed_in: FlaskClient) -> None:
    page = app.test_client().get("/auth/sign-in").text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    answer = signed_in.post("/auth/sign-out", data={"csrf_token": token})
    assert answer.status_code == 400
    assert signed_in.get("/dashboard/").status_code == 200


PAGES = (
    "/dashboard/",
    "/dashboard/people",
    "/dashboard/people/invite",
    "/dashboard/people/{owner}/role",
    "/dashboard/people/{owner}/remove",
    "/dashboard/account",
    "/dashboard/account/password",
    "/dashboard/account/two-step",
    "/dashboard/account/two-step/off",
    "/dashboard/account/recovery-codes",
    "/dashboard/audit",
    "/dashboard/nowhere",
    "/auth/invite/{token}",
)


class Page(HTMLParser):
    """What matters of a page: headings, scripts, styles, handlers, and inputs without a name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings = 0
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.inputs: list[str | None] = []
        self.labels: set[str | None] = set()
        self.described: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.headings += tag == "h1"
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if tag == "label":
            self.labels.add(given.get("for"))
        if (
            tag in {"input", "select", "textarea"}
            and given.get("type") != "hidden"
            and "hidden" not in given
        ):
            self.inputs.append(given.get("id"))
        self.described += (given.get("aria-describedby") or "").split()


def check(text: str) -> None:
    page = Page(text)
    assert page.headings == 1
    assert page.inline == [], "the Content-Security-Policy forbids these"
    assert set(page.inputs) <= page.labels, "an input has no label"
    assert set(page.described) <= set(page.ids), "a description points nowhere"
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_heading_labels_and_nothing_inline(
    signed_in: FlaskClient, owner: Person, team: TeamPlace, page: str
) -> None:
    token = service.invite(team, Role.MEMBER, None, COMMAND_LINE, utcnow()).value
    check(signed_in.get(page.format(owner=owner.id, token=token)).text)


def test_so_have_the_pages_before_sign_in(app: Flask, client: FlaskClient) -> None:
    check(client.get(setup_link.path(app)).text)
    check(client.get("/auth/sign-in").text)
    check(client.get("/nowhere").text)


def test_a_refused_form_ties_its_error_to_the_field(client: FlaskClient, owner: Person) -> None:
    page = client.get("/auth/sign-in").text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    answer = client.post("/auth/sign-in", data={"csrf_token": token, "email": "", "password": ""})
    assert answer.status_code == 422
    check(answer.text)
    assert answer.text.count('aria-invalid="true"') == 2
    assert 'aria-describedby="email-error"' in answer.text
