"""The API keys' screens, used as a browser without JavaScript does."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID
from werkzeug.test import TestResponse

from tests.browsing import csrf_token, submit
from tests.making import acts, browser_of
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import runtime
from tgm.keys import service
from tgm.keys.models import ApiKey, KeyState
from tgm.keys.rights import Rights
from tgm.proxy.requestlog import LogRow
from tgm.security.credentials import digest
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id

KEYS = "/dashboard/api-keys"
CHANGES = ["edit", "rotate", "revoke"]
PAGES = ["", *(f"/{act}" for act in CHANGES)]
DAY = timedelta(days=1)
PLAIN = {
    "name": "Kasir",
    "reach": "all",
    "methods": "*",
    "per_minute": "",
    "expires": "never",
    "expires_on": "",
}


def secret_on(page: TestResponse) -> str:
    found = re.search(r'<code id="new-key"[^>]*>(tgm_live_[0-9A-Za-z]{32,})</code>', page.text)
    assert found, page.text
    return found.group(1)


def beside(page: TestResponse, field: str) -> str:
    """Return what is said beside a field."""
    found = re.search(rf'id="{field}-error">([^<]*)<', page.text)
    assert found, f"nothing is said beside {field}"
    return unescape(found.group(1))


def test_a_new_key_is_shown_by_the_answer_to_its_form_and_never_again(
    signed_in: FlaskClient, team: ULID, bot: Bot
) -> None:
    answer = submit(signed_in, f"{KEYS}/new", **PLAIN)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    secret = secret_on(answer)
    assert runtime.snapshot.current().keys[digest(secret)].refusal(0) is None
    assert not any(secret in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    (key,) = service.of_team(team)
    paths = ["/dashboard/", KEYS, f"{KEYS}/new", *(f"{KEYS}/{key.id}{page}" for page in PAGES)]
    for path in paths:
        page = signed_in.get(path)
        assert page.status_code == 200
        assert secret not in page.text
        assert key.digest not in page.text


def test_the_new_keys_page_has_a_line_that_works_as_it_is(signed_in: FlaskClient, bot: Bot) -> None:
    answer = submit(signed_in, f"{KEYS}/new", **PLAIN)
    line = (
        f"curl -X POST 'http://localhost/api/v1/bots/{bot.id}/getMe'"
        f" -H 'X-API-Key: {secret_on(answer)}'"
    )
    assert line in unescape(answer.text)


def test_a_key_needs_no_bot_to_be_made(signed_in: FlaskClient, team: ULID) -> None:
    answer = submit(signed_in, f"{KEYS}/new", **PLAIN)
    assert answer.status_code == 200
    assert "There is no bot yet" in answer.text


def test_a_key_is_made_for_chosen_bots_and_methods(
    signed_in: FlaskClient, team: ULID, bot: Bot
) -> None:
    chosen = {"reach": "chosen", "bots": str(bot.id), "methods": "send*\ngetMe"}
    more = {"per_minute": "5", "expires": "30"}
    assert submit(signed_in, f"{KEYS}/new", **{**PLAIN, **chosen, **more}).status_code == 200
    (key,) = service.of_team(team)
    assert (key.all_bots, key.methods, key.per_minute) == (False, "send* getMe", 5)
    assert key.expires_at is not None
    assert abs(key.expires_at - utcnow() - 30 * DAY) < timedelta(minutes=1)
    page = signed_in.get(KEYS).text
    for fact in ("Kasir", key.hint, "Test bot", "send* getMe", "5 per minute", "active"):
        assert fact in page


def test_a_key_works_to_the_end_of_its_last_day(signed_in: FlaskClient, team: ULID) -> None:
    today = utcnow().date()
    submit(signed_in, f"{KEYS}/new", **{**PLAIN, "expires": "date", "expires_on": str(today)})
    (key,) = service.of_team(team)
    assert key.expires_at == datetime(today.year, today.month, today.day, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "n" * 65}, "name"),
        ({"methods": "send-all"}, "methods"),
        ({"per_minute": "0"}, "per_minute"),
        ({"per_minute": "1000001"}, "per_minute"),
        ({"per_minute": "many"}, "per_minute"),
        ({"expires": "date", "expires_on": "2020-01-01"}, "expires"),
        ({"expires": "date"}, "expires_on"),
        ({"expires": "date", "expires_on": "soon"}, "expires_on"),
        ({"expires_on": "2099-01-01"}, "expires"),
        ({"expires": "keep"}, "expires"),
        ({"reach": "chosen"}, "bots"),
        ({"reach": "chosen", "bots": "no id"}, "bots"),
        ({"reach": "some"}, "reach"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_what_was_typed_is_kept(
    signed_in: FlaskClient, team: ULID, wrong: dict[str, str], field: str
) -> None:
    typed = {**PLAIN, "name": "Kasir dua", **wrong}
    answer = submit(signed_in, f"{KEYS}/new", **typed)
    assert answer.status_code == 422
    assert beside(answer, field)
    if field != "name":
        assert 'value="Kasir dua"' in answer.text
    assert service.of_team(team) == []


def test_all_bots_with_single_ones_chosen_is_asked_back(
    signed_in: FlaskClient, team: ULID, bot: Bot
) -> None:
    answer = submit(signed_in, f"{KEYS}/new", **{**PLAIN, "bots": str(bot.id)})
    assert answer.status_code == 422
    assert "Only these" in beside(answer, "bots")
    assert service.of_team(team) == []


def test_another_teams_bot_cannot_be_chosen(
    signed_in: FlaskClient, team: ULID, foreign_bot: Bot, key: ApiKey
) -> None:
    for page in (f"{KEYS}/new", f"{KEYS}/{key.id}/edit"):
        assert foreign_bot.name not in signed_in.get(page).text
        for bot_id in (foreign_bot.id, new_id()):
            chosen = {**PLAIN, "reach": "chosen", "bots": str(bot_id)}
            assert submit(signed_in, page, **chosen).status_code == 404
    assert [kept.id for kept in service.of_team(team)] == [key.id]


def test_a_keys_form_opens_with_its_rights_and_saving_it_changes_nothing(
    signed_in: FlaskClient, team: ULID, bot: Bot
) -> None:
    expiry = utcnow() + 7 * DAY
    rights = Rights("Kasir", frozenset({bot.id}), "send* getMe", 5, expiry)
    key, _ = service.make(team, rights, COMMAND_LINE)
    page = f"{KEYS}/{key.id}/edit"
    shown = signed_in.get(page).text
    assert re.search(rf'checked[^>]*value="{bot.id}"', shown)
    assert re.search(r'checked[^>]*value="chosen"', shown)
    assert re.search(r'<option selected value="keep">', shown)
    typed = {"name": "Kasir", "reach": "chosen", "bots": str(bot.id), "methods": "send* getMe"}
    answer = submit(signed_in, page, **{**PLAIN, **typed, "per_minute": "5", "expires": "keep"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{KEYS}/{key.id}")
    kept = service.get(team, key.id)
    assert (kept.methods, kept.per_minute, kept.expires_at) == ("send* getMe", 5, expiry)
    assert list(service.chosen_bots(team)) == [key.id]


def test_a_key_is_narrowed(signed_in: FlaskClient, team: ULID, key: ApiKey) -> None:
    typed = {**PLAIN, "methods": "getMe", "per_minute": "3", "expires": "7"}
    assert submit(signed_in, f"{KEYS}/{key.id}/edit", **typed).status_code == 303
    kept = service.get(team, key.id)
    assert (kept.methods, kept.per_minute) == ("getMe", 3)
    assert kept.expires_at is not None


def test_a_key_is_rotated_with_a_day_of_overlap_unless_told_otherwise(
    signed_in: FlaskClient, team: ULID, key: ApiKey
) -> None:
    page = f"{KEYS}/{key.id}/rotate"
    assert re.search(r'name="overlap"[^>]*value="24"', signed_in.get(page).text)
    answer = submit(signed_in, page, overlap="0")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    secret = secret_on(answer)
    assert service.get(team, key.id).state(utcnow()) is KeyState.EXPIRED
    successor = runtime.snapshot.current().keys[digest(secret)]
    detail = signed_in.get(f"{KEYS}/{successor.id}").text
    assert f"{KEYS}/{key.id}" in detail
    assert secret not in detail


@pytest.mark.parametrize("overlap", ["", "-1", "721", "soon"])
def test_a_wrong_overlap_rotates_nothing(
    signed_in: FlaskClient, team: ULID, key: ApiKey, overlap: str
) -> None:
    answer = submit(signed_in, f"{KEYS}/{key.id}/rotate", overlap=overlap)
    assert answer.status_code == 422
    assert beside(answer, "overlap")
    assert len(service.of_team(team)) == 1


def test_revoking_asks_and_is_final(signed_in: FlaskClient, team: ULID, key: ApiKey) -> None:
    page = f"{KEYS}/{key.id}/revoke"
    assert "cannot be undone" in signed_in.get(page).text
    assert service.get(team, key.id).revoked_at is None
    assert submit(signed_in, page).status_code == 303
    assert service.get(team, key.id).revoked_at is not None
    assert "revoked" in signed_in.get(KEYS).text
    detail = signed_in.get(f"{KEYS}/{key.id}").text
    for act in CHANGES:
        assert f"/{act}" not in detail
    assert submit(signed_in, f"{KEYS}/{key.id}/edit", **PLAIN).status_code == 409


def test_another_teams_key_is_answered_like_one_that_does_not_exist(
    signed_in: FlaskClient, key: ApiKey, foreign_key: ApiKey
) -> None:
    token = csrf_token(signed_in.get(f"{KEYS}/{key.id}/edit"))
    typed = {**PLAIN, "csrf_token": token, "overlap": "0"}
    for key_id in (foreign_key.id, new_id()):
        for page in PAGES:
            assert signed_in.get(f"{KEYS}/{key_id}{page}").status_code == 404
        for act in CHANGES:
            assert signed_in.post(f"{KEYS}/{key_id}/{act}", data=typed).status_code == 404
    (kept,) = service.of_team(foreign_key.team_id)
    assert (kept.name, kept.expires_at, kept.revoked_at) == ("Foreign", None, None)
    assert "Foreign" not in signed_in.get(KEYS).text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_who_may_not_manage_keys_reads_and_changes_nothing(
    app: Flask, team: ULID, key: ApiKey, role: Role
) -> None:
    client = browser_of(app, team, role)
    detail = client.get(f"{KEYS}/{key.id}")
    assert detail.status_code == client.get(KEYS).status_code == 200
    for act in CHANGES:
        assert f"/{act}" not in detail.text
    typed = {**PLAIN, "csrf_token": csrf_token(detail), "overlap": "0"}
    for path in ("new", *(f"{key.id}/{act}" for act in CHANGES)):
        assert client.get(f"{KEYS}/{path}").status_code == 403
        assert client.post(f"{KEYS}/{path}", data=typed).status_code == 403
    assert [entry.action for entry in acts(team) if entry.action.startswith("key.")] == ["key.made"]


def test_an_admin_manages_keys(app: Flask, team: ULID) -> None:
    client = browser_of(app, team, Role.ADMIN)
    assert submit(client, f"{KEYS}/new", **PLAIN).status_code == 200


@pytest.mark.parametrize("act", ["new", *CHANGES])
def test_a_post_without_the_forms_token_changes_nothing(
    signed_in: FlaskClient, key: ApiKey, team: ULID, act: str
) -> None:
    path = "new" if act == "new" else f"{key.id}/{act}"
    assert signed_in.post(f"{KEYS}/{path}", data={**PLAIN, "overlap": "0"}).status_code == 400
    assert [kept.revoked_at for kept in service.of_team(team)] == [None]


def test_a_name_cannot_put_markup_into_a_page(signed_in: FlaskClient, team: ULID) -> None:
    made = submit(signed_in, f"{KEYS}/new", **{**PLAIN, "name": "<script>alert(1)</script>"})
    (key,) = service.of_team(team)
    pages = [made, *(signed_in.get(f"{KEYS}/{key.id}{page}") for page in PAGES)]
    for page in (*pages, signed_in.get(KEYS)):
        assert "<script>alert" not in page.text


def test_a_keys_page_shows_what_to_recognise_it_by_and_its_last_use(
    signed_in: FlaskClient, team: ULID, key: ApiKey
) -> None:
    page = signed_in.get(f"{KEYS}/{key.id}").text
    assert f"tgm_live_…{key.last_four}" in page
    assert '<time datetime="2026-11-21' not in page.partition("Last use")[2].partition("<dt>")[0]
    with writing() as session:
        session.get_one(ApiKey, key.id).last_used_at = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    page = signed_in.get(f"{KEYS}/{key.id}").text
    assert "2026-11-21T12:30:00" in page.partition("Last use")[2].partition("</dd>")[0]


def note_call(team: ULID, bot: Bot, key: ApiKey, ago: timedelta) -> None:
    runtime.request_log.add(
        LogRow(
            at=utcnow() - ago,
            team_id=str(team),
            bot_id=str(bot.id),
            key_id=str(key.id),
            method="getMe",
            source="telegram",
            status=200,
            error=None,
            bytes_in=0,
            bytes_out=2,
            milliseconds=1,
        )
    )


@pytest.mark.parametrize("page", ["", "/{key.id}"], ids=["the list", "the key's page"])
def test_a_keys_calls_of_a_day_are_drawn_hour_by_hour(
    signed_in: FlaskClient, team: ULID, bot: Bot, key: ApiKey, page: str
) -> None:
    for hours in (0, 0, 3, 30):
        note_call(team, bot, key, timedelta(hours=hours))
    runtime.request_log.flush()
    text = signed_in.get(KEYS + page.format(key=key)).text
    assert text.count("one bar for each hour: 3") == 2
    assert text.count('class="sparkline-bar"') == 2


def test_a_key_without_calls_has_an_empty_line(signed_in: FlaskClient, key: ApiKey) -> None:
    text = signed_in.get(KEYS).text
    assert "one bar for each hour: 0" in text
    assert "sparkline-bar" not in text


def test_the_last_use_is_told_as_people_say_it_and_exactly(
    signed_in: FlaskClient, key: ApiKey
) -> None:
    when = utcnow() - timedelta(minutes=5)
    with writing() as session:
        session.get_one(ApiKey, key.id).last_used_at = when
    for page in (KEYS, f"{KEYS}/{key.id}"):
        text = signed_in.get(page).text
        assert "5 minutes ago" in text
        assert f'datetime="{when.isoformat(timespec="seconds")}"' in text


@pytest.mark.parametrize(("days", "said"), [(13, True), (15, False), (-1, False), (None, False)])
def test_a_key_that_expires_soon_says_so(
    signed_in: FlaskClient, key: ApiKey, days: int | None, said: bool
) -> None:
    expiry = None if days is None else utcnow() + days * DAY
    with writing() as session:
        session.get_one(ApiKey, key.id).expires_at = expiry
    for page in (KEYS, f"{KEYS}/{key.id}"):
        assert (">soon<" in signed_in.get(page).text) is said


@pytest.mark.parametrize("act", ["new", "rotate"])
def test_reloading_the_page_with_the_key_makes_no_second_one(
    signed_in: FlaskClient, team: ULID, key: ApiKey, act: str
) -> None:
    path = f"{KEYS}/new" if act == "new" else f"{KEYS}/{key.id}/rotate"
    page = signed_in.get(path)
    once = re.findall(r'name="once"[^>]*value="([^"]+)"', page.text)[0]
    sent = {**PLAIN, "overlap": "0", "csrf_token": csrf_token(page), "once": once}
    assert signed_in.post(path, data={**sent, "name": "", "overlap": "-1"}).status_code == 422
    assert secret_on(signed_in.post(path, data=sent))
    again = signed_in.post(path, data=sent)
    assert again.status_code == 409
    assert "sent already" in again.text
    assert len(service.of_team(team)) == 2
