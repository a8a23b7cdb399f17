"""The bots' screens, used as a browser without JavaScript does; htmx where it says so."""

import re
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import csrf_token, submit
from tests.fakes.telegram import TOKEN, FakeTelegram, refusal, reply
from tests.making import acts, browser_of
from tests.webhook.rows import an_update, make_delivery, make_endpoint, make_reception
from tgm.auth.roles import Role
from tgm.bots import service
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.proxy.requestlog import LogRow
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.webhook.models import Mode, State

SECRET = TOKEN.partition(":")[2]
BOTS = "/dashboard/bots"
CHANGES = ["rename", "disable", "enable", "pace", "token", "delete"]
PAGES = ["", "/settings", "/doctor", "/rename", "/token", "/delete"]
READING = ["", "/settings", "/doctor"]


def test_an_empty_list_says_what_to_do(signed_in: FlaskClient) -> None:
    page = signed_in.get(BOTS).text
    assert "No bots yet" in page
    assert f"{BOTS}/add" in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_who_may_not_add_is_told_who_may(app: Flask, team: ULID, role: Role) -> None:
    browser = browser_of(app, team, role)
    assert "An admin of your team can do that." in browser.get("/dashboard/bots").text
    assert "An admin of your team can make one." in browser.get("/dashboard/api-keys").text


def test_a_bot_is_added_by_pasting_its_token(signed_in: FlaskClient, team: ULID) -> None:
    answer = submit(signed_in, f"{BOTS}/add", token=TOKEN)
    assert answer.status_code == 303
    (bot,) = service.of_team(team)
    assert answer.headers["Location"] == f"{BOTS}/{bot.id}"
    page = signed_in.get(f"{BOTS}/{bot.id}").text
    for fact in ("Test bot", "@tgm_test_bot", "123456789", "was added"):
        assert fact in page
    assert acts(team)[-1].actor == "owner@example.com"


def test_the_detail_page_has_the_id_and_a_button_that_copies_it(
    signed_in: FlaskClient, bot: Bot
) -> None:
    page = signed_in.get(f"{BOTS}/{bot.id}").text
    assert re.search(rf'<code id="bot-id"[^>]*>{bot.id}</code>', page)
    assert 'data-copy="bot-id"' in page
    assert f"http://localhost/api/v1/bots/{bot.id}/sendMessage" in page


@pytest.mark.parametrize(
    ("scripted", "sentence"),
    [
        (refusal(401, "Unauthorized"), "Telegram does not know this token."),
        (reply(b"nonsense"), "Telegram could not be reached"),
        (refusal(429, "Too Many Requests: retry after 5", retry_after=5), "Too Many Requests"),
    ],
)
def test_a_refused_token_gets_a_sentence_beside_the_field_and_is_forgotten(
    signed_in: FlaskClient, telegram: FakeTelegram, scripted: object, sentence: str
) -> None:
    telegram.always("getMe", scripted)  # type: ignore[arg-type]
    answer = submit(signed_in, f"{BOTS}/add", token=TOKEN, name="Kasir")
    assert answer.status_code == 422
    beside = re.search(r'id="token-error">([^<]*)<', answer.text)
    assert beside is not None
    assert sentence in beside.group(1)
    assert SECRET not in answer.text
    assert 'value="Kasir"' in answer.text


def test_a_bot_that_is_here_already_gets_a_sentence_too(signed_in: FlaskClient, bot: Bot) -> None:
    answer = submit(signed_in, f"{BOTS}/add", token=TOKEN)
    assert answer.status_code == 422
    assert "already been added" in answer.text
    assert SECRET not in answer.text


@pytest.mark.parametrize("token", ["", "no token at all", f"{TOKEN}!"])
def test_what_is_no_token_is_refused_beside_the_field(signed_in: FlaskClient, token: str) -> None:
    answer = submit(signed_in, f"{BOTS}/add", token=token)
    assert answer.status_code == 422
    assert 'id="token-error"' in answer.text
    assert SECRET not in answer.text


def test_a_bot_is_renamed(signed_in: FlaskClient, bot: Bot) -> None:
    page = f"{BOTS}/{bot.id}/rename"
    assert 'value="Test bot"' in signed_in.get(page).text
    assert submit(signed_in, page, name="Kasir").status_code == 303
    assert "Kasir" in signed_in.get(BOTS).text


def test_a_wrong_name_comes_back_with_what_was_typed(signed_in: FlaskClient, bot: Bot) -> None:
    answer = submit(signed_in, f"{BOTS}/{bot.id}/rename", name="n" * 65)
    assert answer.status_code == 422
    assert "n" * 65 in answer.text


def test_a_plain_post_disables_and_enables(signed_in: FlaskClient, bot: Bot) -> None:
    detail = f"{BOTS}/{bot.id}"
    settings = f"{detail}/settings"
    for act, state in (("disable", "disabled"), ("enable", "enabled")):
        answer = submit(signed_in, settings, f"{detail}/{act}")
        assert (answer.status_code, answer.headers["Location"]) == (303, settings)
        for page in (settings, detail, BOTS):
            assert re.search(rf'class="status[^"]*">{state}<', signed_in.get(page).text)


@pytest.mark.parametrize("is_htmx", [False, True])
def test_telegrams_pace_is_switched_on_and_off(
    signed_in: FlaskClient, bot: Bot, team: ULID, is_htmx: bool
) -> None:
    settings = f"{BOTS}/{bot.id}/settings"
    for keeps, label in (("on", "Turn off"), ("off", "Turn on")):
        answer = signed_in.post(
            f"{BOTS}/{bot.id}/pace",
            data={"csrf_token": csrf_token(signed_in.get(settings)), "keeps": keeps},
            headers={"HX-Request": "true"} if is_htmx else {},
        )
        if is_htmx:
            assert answer.text.strip().startswith('<section id="bot-pace"')
            assert label in answer.text
        else:
            assert (answer.status_code, answer.headers["Location"]) == (303, settings)
        assert label in signed_in.get(settings).text
        assert service.get(team, bot.id).keeps_pace is (keeps == "on")


TABS = {
    "": "Overview",
    "/webhook": "Webhook and endpoints",
    "/deliveries": "Deliveries",
    "/requests": "Requests",
    "/doctor": "Doctor",
    "/settings": "Settings",
}


@pytest.mark.parametrize("path", TABS)
def test_each_tab_is_a_link_and_says_where_one_is(
    signed_in: FlaskClient, bot: Bot, path: str
) -> None:
    page = signed_in.get(f"{BOTS}/{bot.id}{path}")
    assert page.status_code == 200
    (nav,) = re.findall(r'<nav class="tabs".*?</nav>', page.text, re.DOTALL)
    links = re.findall(r'<a href="([^"]+)"([^>]*)>([^<]+)</a>', nav)
    assert [(href, name) for href, _, name in links] == [
        (f"{BOTS}/{bot.id}{tab}", name) for tab, name in TABS.items()
    ]
    assert [name for _, marks, name in links if "aria-current" in marks] == [TABS[path]]


def test_the_overview_counts_the_last_days_calls(
    signed_in: FlaskClient, bot: Bot, team: ULID
) -> None:
    for status in (200, 200, 429):
        runtime.request_log.add(_call(bot, status))
    runtime.request_log.flush()
    page = signed_in.get(f"{BOTS}/{bot.id}").text
    for label, number in (("Calls in 24 h", 3), ("Errors in 24 h", 1)):
        assert _tile(page, label) == str(number)


def _call(bot: Bot, status: int) -> LogRow:
    return LogRow(
        at=utcnow(),
        team_id=str(bot.team_id),
        bot_id=str(bot.id),
        key_id=str(new_id()),
        method="sendMessage",
        source="telegram",
        status=status,
        error=None,
        bytes_in=1,
        bytes_out=1,
        milliseconds=1,
    )


def _tile(page: str, label: str) -> str:
    found = re.search(rf'tile-label">{label}<.*?tile-value">(.*?)</span>\s*<span', page, re.DOTALL)
    assert found is not None, label
    return re.sub(r"<[^>]+>|\s", "", found.group(1))


def test_the_overview_says_when_the_last_update_came_and_how_endpoints_are(
    signed_in: FlaskClient, bot: Bot
) -> None:
    assert "none yet" in signed_in.get(f"{BOTS}/{bot.id}").text
    make_reception(bot.id, Mode.POLLING, problem="taken_over", problem_text="It leads to x.")
    endpoint = make_endpoint(bot.id, "Toko", last_error="HTTP 503")
    at = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
    make_delivery(endpoint, an_update(1), at=at, attempts_made=2, last_error="HTTP 503")
    page = signed_in.get(f"{BOTS}/{bot.id}").text
    assert 'datetime="2026-11-20T09:05:00+00:00"' in page
    for words in ("Toko", "failing", "HTTP 503", "It leads to x.", "Ask the Doctor"):
        assert words in page


def test_the_list_says_how_each_bot_receives_and_what_waits(
    signed_in: FlaskClient, bot: Bot
) -> None:
    assert re.search(r'class="status[^"]*">off<', signed_in.get(BOTS).text)
    make_reception(bot.id, Mode.POLLING)
    endpoint = make_endpoint(bot.id)
    make_delivery(endpoint, an_update(1), attempts_made=1)
    make_delivery(endpoint, an_update(2), state=State.DEAD)
    page = signed_in.get(BOTS).text
    assert re.search(r'class="status[^"]*">polling<', page)
    cells = dict(re.findall(r'data-label="([^"]+)">(.*?)</td>', page, re.DOTALL))
    counts = [re.sub(r"<[^>]+>|\s", "", cells[n]) for n in ("Pending", "Failing", "Given up")]
    assert counts == ["1", "1", "1"]


def test_htmx_gets_the_state_alone(signed_in: FlaskClient, bot: Bot) -> None:
    detail = f"{BOTS}/{bot.id}"
    page = signed_in.get(f"{detail}/settings")
    answer = signed_in.post(
        f"{detail}/disable",
        data={"csrf_token": csrf_token(page)},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 200
    assert answer.text.strip().startswith('<section id="bot-state"')
    assert "<html" not in answer.text
    assert f'hx-post="{detail}/enable"' in answer.text


def test_the_token_is_replaced_and_never_shown(
    signed_in: FlaskClient, bot: Bot, team: ULID, telegram: FakeTelegram
) -> None:
    new = f"{bot.telegram_id}:AAnewTokenOfTheSameBot_0123456789abcd"
    telegram.add_bot(new, "Test bot", "tgm_test_bot")
    page = f"{BOTS}/{bot.id}/token"
    assert submit(signed_in, page, token=new).status_code == 303
    assert service.token_of(service.get(team, bot.id)).value == new
    wrong = submit(signed_in, page, token=f"{bot.telegram_id + 1}:{SECRET}")
    assert wrong.status_code == 422
    assert "another bot" in wrong.text
    assert SECRET not in wrong.text


def test_a_bot_is_deleted_after_its_name_was_typed(signed_in: FlaskClient, bot: Bot) -> None:
    page = f"{BOTS}/{bot.id}/delete"
    assert submit(signed_in, page, name="Test").status_code == 422
    answer = submit(signed_in, page, name="Test bot")
    assert (answer.status_code, answer.headers["Location"]) == (303, BOTS)
    assert signed_in.get(f"{BOTS}/{bot.id}").status_code == 404


def test_no_page_shows_the_token(signed_in: FlaskClient, bot: Bot) -> None:
    for path in (BOTS, f"{BOTS}/add", *(f"{BOTS}/{bot.id}{page}" for page in PAGES)):
        answer = signed_in.get(path)
        assert answer.status_code == 200
        assert SECRET not in answer.text
        assert bot.sealed_token not in answer.text


def test_a_name_cannot_put_markup_into_a_page(signed_in: FlaskClient, bot: Bot) -> None:
    submit(signed_in, f"{BOTS}/{bot.id}/rename", name="<script>alert(1)</script>")
    for path in (BOTS, *(f"{BOTS}/{bot.id}{page}" for page in PAGES)):
        assert "<script>alert" not in signed_in.get(path).text


def test_another_teams_bot_is_answered_like_one_that_does_not_exist(
    signed_in: FlaskClient, bot: Bot, foreign_bot: Bot
) -> None:
    token = csrf_token(signed_in.get(f"{BOTS}/{bot.id}/rename"))
    for page in PAGES:
        answers = [signed_in.get(f"{BOTS}/{i}{page}") for i in (foreign_bot.id, new_id())]
        assert {answer.status_code for answer in answers} == {404}
    typed = {"csrf_token": token, "name": foreign_bot.name, "token": TOKEN}
    for act in CHANGES:
        answers = [
            signed_in.post(f"{BOTS}/{i}/{act}", data=typed) for i in (foreign_bot.id, new_id())
        ]
        assert {answer.status_code for answer in answers} == {404}
    kept = service.get(foreign_bot.team_id, foreign_bot.id)
    assert (kept.name, kept.is_disabled) == ("Other bot", False)
    assert foreign_bot.name not in signed_in.get(BOTS).text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_who_may_not_manage_bots_reads_and_changes_nothing(
    app: Flask, team: ULID, bot: Bot, role: Role
) -> None:
    client = browser_of(app, team, role)
    for page in ("", *(f"/{bot.id}{tab}" for tab in READING)):
        detail = client.get(f"{BOTS}{page}")
        assert detail.status_code == 200
        for act in CHANGES:
            assert f"/{bot.id}/{act}" not in detail.text
    # The form that every page has, for the language, carries the same token.
    token = csrf_token(detail)
    typed = {"csrf_token": token, "name": bot.name, "token": TOKEN}
    for path in ("add", *(f"{bot.id}/{act}" for act in CHANGES)):
        assert client.post(f"{BOTS}/{path}", data=typed).status_code == 403
    for path in ("add", *(f"{bot.id}{page}" for page in PAGES if page not in READING)):
        assert client.get(f"{BOTS}/{path}").status_code == 403
    assert [entry.action for entry in acts(team) if entry.action.startswith("bot.")] == [
        "bot.added"
    ]


def test_an_admin_manages_bots(app: Flask, team: ULID, bot: Bot) -> None:
    client = browser_of(app, team, Role.ADMIN)
    assert submit(client, f"{BOTS}/{bot.id}/rename", name="Kasir").status_code == 303


@pytest.mark.parametrize("act", CHANGES)
def test_a_post_without_the_forms_token_changes_nothing(
    signed_in: FlaskClient, bot: Bot, team: ULID, act: str
) -> None:
    answer = signed_in.post(f"{BOTS}/{bot.id}/{act}", data={"name": bot.name, "token": TOKEN})
    assert answer.status_code == 400
    assert not service.get(team, bot.id).is_disabled


def test_a_telegram_that_cannot_be_reached_is_said_beside_the_token(
    signed_in: FlaskClient, telegram: FakeTelegram
) -> None:
    telegram.__exit__()
    answer = submit(signed_in, f"{BOTS}/add", token=TOKEN)
    assert answer.status_code == 422
    assert "Telegram could not be reached: no connection." in answer.text
    assert SECRET not in answer.text
