"""The audit log's filter and its words."""

import ast
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from tests.browsing import submit
from tests.conftest import OWNER
from tgm.audit import service as audit
from tgm.audit.models import AuditEntry
from tgm.audit.service import COMMAND_LINE, Actor
from tgm.audit.words import ACTIONS, DETAILS, GROUPS, details
from tgm.auth.service import Person
from tgm.database import writing
from tgm.settings import PROJECT
from tgm.shared.ids import new_id

PAGE = "/dashboard/audit"
NOON = datetime(2025, 11, 21, 12, 0, tzinfo=UTC)
ANI = Actor("ani@example.com", "192.0.2.9")
# Keywords that are no details.
_FRAME = {"team_id", "subject_id", "subject_name"}


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


def act(team: ULID, name: str, action: str = "bot.renamed", at: datetime = NOON) -> None:
    """Write an act down as it would have been at that time."""
    entry_id = ULID.from_datetime(at)
    with writing() as session:
        session.add(
            AuditEntry(
                id=entry_id, at=at, team_id=team, actor=ANI.name, action=action, subject_name=name
            )
        )


def shown(client: FlaskClient, **filter_: str) -> list[str]:
    """Return the subjects on the page."""
    page = client.get(PAGE, query_string=filter_)
    assert page.status_code == 200
    return re.findall(r"\bAct \w+", page.text.partition("<tbody>")[2])


def test_it_is_filtered_by_who(signed_in: FlaskClient, team: ULID) -> None:
    act(team, "Act one")
    with writing() as session:
        audit.record(session, COMMAND_LINE, "bot.added", team_id=team, subject_name="Act two")
    assert shown(signed_in, who="ANI@") == ["Act one"]
    assert shown(signed_in, who="the command line") == ["Act two"]
    assert shown(signed_in, who="%") == []
    assert "No act matches" in signed_in.get(PAGE, query_string={"who": "nobody"}).text


def test_it_is_filtered_by_what(signed_in: FlaskClient, team: ULID) -> None:
    act(team, "Act one")
    act(team, "Act two", "bot.deleted")
    assert shown(signed_in, what="bot.deleted") == ["Act two"]
    assert set(shown(signed_in, what="no such act")) == {"Act one", "Act two"}


def test_it_is_filtered_by_time(signed_in: FlaskClient, team: ULID) -> None:
    for hours, name in enumerate(("Act one", "Act two", "Act three")):
        act(team, name, at=NOON + timedelta(hours=hours))
    assert shown(signed_in, since="2025-11-21T13:00") == ["Act three", "Act two"]
    assert shown(signed_in, until="2025-11-21T13:00") == ["Act one"]
    assert shown(signed_in, since="2025-11-21T13:00", until="2025-11-21T14:00") == ["Act two"]


def test_a_time_is_meant_in_the_readers_zone(signed_in: FlaskClient, team: ULID) -> None:
    act(team, "Act one")
    signed_in.set_cookie("tgm_zone", "Asia/Jakarta")
    assert shown(signed_in, since="2025-11-21T19:00", until="2025-11-21T19:01") == ["Act one"]
    assert shown(signed_in, since="2025-11-21T12:00", until="2025-11-21T12:01") == []


@pytest.mark.parametrize(
    "time", ["soon", "0001-01-01T00:00", "9999-12-31T23:59", "2025-13-01T00:00"]
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Jakarta", "America/Los_Angeles"])
def test_no_time_breaks_the_page(signed_in: FlaskClient, time: str, zone: str) -> None:
    signed_in.set_cookie("tgm_zone", zone)
    for name in ("since", "until"):
        assert signed_in.get(PAGE, query_string={name: time}).status_code == 200


def test_the_link_to_older_acts_keeps_the_filter(signed_in: FlaskClient, team: ULID) -> None:
    for number in range(120):
        action = "bot.renamed" if number % 2 else "bot.deleted"
        act(team, f"Bot {number:03}", action, NOON + timedelta(seconds=number))
    page = signed_in.get(PAGE, query_string={"what": "bot.renamed", "who": "ani"}).text
    link = unescape(page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0])
    assert "what=bot.renamed" in link
    numbers = [int(name.split()[1]) for name in re.findall(r"Bot \d{3}", signed_in.get(link).text)]
    assert numbers == list(range(19, 0, -2))


def test_the_filter_keeps_what_was_typed(signed_in: FlaskClient) -> None:
    asked = {"who": '"><b>', "what": "bot.renamed", "since": "2025-11-21T13:00"}
    page = signed_in.get(PAGE, query_string=asked).text
    assert 'value="&#34;&gt;&lt;b&gt;"' in page
    assert '<option selected value="bot.renamed">' in page
    assert 'value="2025-11-21T13:00"' in page


def test_it_offers_the_teams_people_and_every_act(signed_in: FlaskClient) -> None:
    page = signed_in.get(PAGE).text
    assert f'<option value="{OWNER}">' in page
    for action in ACTIONS:
        assert f'value="{action}"' in page


def test_indonesian_has_no_english_details(signed_in: FlaskClient, team: ULID) -> None:
    with writing() as session:
        audit.record(
            session,
            Actor("API key", "192.0.2.9"),
            "key.made",
            team_id=team,
            subject_name="Kasir",
            bots="*",
            methods="send*",
            per_minute=5,
            expires_at=NOON.isoformat(),
        )
    submit(signed_in, PAGE, "/auth/language", language="id")
    row = signed_in.get(PAGE).text.partition("Kasir")[2].partition("</tr>")[0]
    words = set(re.sub(r"<[^>]+>", " ", row).replace(":", " ").split())
    assert "send*" in words
    assert "2025-11-21T12:00:00" in row
    assert not words & {"methods", "bots", "all", "expires", "calls", "minute"}


def test_a_detail_without_words_is_still_shown() -> None:
    (detail,) = details({"new_fact": 7}, {})
    assert (detail.label, detail.value) == ("new fact", "7")


def test_ids_of_bots_are_shown_by_name() -> None:
    known, gone = str(new_id()), str(new_id())
    (detail,) = details({"bots": [known, gone]}, {known: "Kasir"})
    assert detail.value == f"Kasir, {gone}"


@given(
    st.dictionaries(
        st.text(max_size=20).filter(lambda name: name not in {"expires_at", "works_until"}),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=3),
        max_size=5,
    )
)
def test_any_details_are_read(facts: dict[str, object]) -> None:
    assert len(list(details(facts, {}))) <= len(facts)


def written() -> tuple[set[str], set[str]]:
    """Return the acts that the program writes down, and the names of their details."""
    acts, names = set(), set()
    for path in (PROJECT / "tgm").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if not name.endswith(("record", "record_for_user")):
                continue
            for word in node.args:
                if isinstance(word, ast.Constant) and re.fullmatch(r"\w+\.\w+", str(word.value)):
                    acts.add(str(word.value))
            names |= {word.arg for word in node.keywords if word.arg}
    return acts, names - _FRAME


def test_everything_that_is_written_down_has_words(app: Flask) -> None:
    acts, names = written()
    assert len(acts) > 20
    assert sorted(acts - set(ACTIONS)) == [], "Give these words in tgm/audit/words.py"
    assert sorted(names - set(DETAILS)) == [], "Give these words in tgm/audit/words.py"
    assert sum(len(acts) for _, acts in GROUPS) == len(ACTIONS)
