"""The Doctor asks a Telegram on loopback, and shows what it found on the bot's page."""

import json
import re
from datetime import UTC, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from ulid import ULID

from tests.browsing import csrf_token
from tests.fakes.telegram import TOKEN, FakeTelegram, Reply, refusal, reply
from tests.making import browser_of, make_team
from tests.webhook.delivering import now_is
from tests.webhook.rows import an_update, make_delivery, make_endpoint, make_reception
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.shared.clock import utcnow
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.telegram.token import BotToken
from tgm.webhook import doctor, receiving
from tgm.webhook.doctor import hook_of
from tgm.webhook.findings import Finding, Leads, Repair, Verdict, Whose
from tgm.webhook.models import Mode, State

# An address that is public and needs no resolver.
PUBLIC = pytest.mark.given(WEBHOOK_BASE_URL="https://8.8.8.8")
SECRET = TOKEN.partition(":")[2]
PATH_SECRET = "pathSecretOfTheWebhook0123456789"


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(app: Flask, team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


def says(telegram: FakeTelegram, **info: object) -> None:
    """Let getWebhookInfo say this from now on."""
    result = {"url": "", "pending_update_count": 0, **info}
    telegram.always("getWebhookInfo", reply({"ok": True, "result": result}))


def registered(telegram: FakeTelegram) -> str:
    """Return the webhook that TGM has set last, and let Telegram say so."""
    url: str = json.loads(telegram.calls("setWebhook")[-1].body)["url"]
    return url


def examined(bot: Bot) -> dict[str, Finding]:
    """Return the findings by what they are about; the worst of a kind counts."""
    found = doctor.of_bot(bot.team_id, bot.id)
    return {one.what % one.params: one for one in reversed(found)}


def page_of(bot: Bot, rest: str = "?run=1") -> str:
    return f"/dashboard/bots/{bot.id}/doctor{rest}"


def shown(page: str, what: str) -> str:
    """Return the finding as it stands on the page."""
    items = re.findall(r'<li class="exam-item.*?</li>', page, re.DOTALL)
    found: list[str] = [item for item in items if f"<h3>{what}</h3>" in item]
    assert len(found) == 1, f"{what}: {found}"
    return found[0]


@PUBLIC
def test_a_bot_that_receives_by_webhook_is_well(bot: Bot, telegram: FakeTelegram) -> None:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    make_endpoint(bot.id, url="https://8.8.4.4/hook")
    says(
        telegram,
        url=registered(telegram),
        allowed_updates=list(UPDATE_KINDS),
        ip_address="8.8.8.8",
    )
    found = examined(bot)
    bad = [
        what for what, one in found.items() if one.verdict in {Verdict.ATTENTION, Verdict.UNKNOWN}
    ]
    assert bad == []
    assert found["The address Telegram uses"].params == {"ip": "8.8.8.8"}
    assert found["This TGM's public address"].verdict is Verdict.GOOD


def test_a_revoked_token_is_to_be_replaced(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.always("getMe", refusal(401, "Unauthorized"))
    page = signed_in.get(page_of(bot)).text
    one = shown(page, "The token")
    assert "Needs attention" in one
    assert "Telegram answered: Unauthorized" in one
    assert f'href="/dashboard/bots/{bot.id}/token"' in one
    assert telegram.calls("getWebhookInfo") == [], "there is nothing more to ask"
    assert SECRET not in page


def test_a_token_that_cannot_be_opened_is_to_be_replaced(bot: Bot, telegram: FakeTelegram) -> None:
    with writing() as session:
        session.execute(update(Bot).values(sealed_token="00000000.nothing"))
    assert examined(bot)["The token"].repairs == (Repair.REPLACE_TOKEN,)


@pytest.mark.parametrize(
    "silent",
    [Reply(b"", close=True), reply(b"nonsense"), reply({"ok": True, "result": {"id": 5}})],
)
def test_a_telegram_that_does_not_answer_could_not_be_told(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram, silent: Reply
) -> None:
    telegram.always("getMe", silent)
    one = shown(signed_in.get(page_of(bot)).text, "The token")
    assert "Could not be told" in one
    assert "Telegram could not be reached" in one


def test_local_checks_are_made_although_telegram_is_away(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.__exit__()
    page = signed_in.get(page_of(bot))
    assert page.status_code == 200
    assert "Could not be told" in shown(page.text, "The token")
    assert "Switch it on" in shown(page.text, "Receiving")


@PUBLIC
def test_a_webhook_of_somebody_else_names_its_host_and_is_taken_back(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    says(
        telegram,
        url=f"https://evil.example.net/{PATH_SECRET}?key=anotherSecret",
        last_error_message=f"Wrong response from /{PATH_SECRET}",
        last_error_date=int(utcnow().timestamp()),
        pending_update_count=7,
    )
    page = signed_in.get(page_of(bot))
    one = shown(page.text, "Where updates go")
    assert "evil.example.net" in one
    for secret in (PATH_SECRET, "anotherSecret", SECRET):
        assert secret not in page.text
    take_back = f"/dashboard/bots/{bot.id}/webhook/take-back"
    assert f'action="{take_back}"' in one
    before = len(telegram.calls("setWebhook"))
    answer = signed_in.post(take_back, data={"csrf_token": csrf_token(page), "back": "doctor"})
    assert (answer.status_code, answer.headers["Location"]) == (303, page_of(bot, ""))
    assert len(telegram.calls("setWebhook")) == before + 1


@PUBLIC
def test_a_repair_that_telegram_refuses_says_so_where_it_was_pressed(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    telegram.always("setWebhook", refusal(400, "Bad Request: bad webhook: no IP address"))
    take_back = f"/dashboard/bots/{bot.id}/webhook/take-back"
    token = csrf_token(signed_in.get(page_of(bot)))
    answer = signed_in.post(take_back, data={"csrf_token": token, "back": "doctor"})
    assert answer.headers["Location"] == page_of(bot, "")
    assert "bad webhook: no IP address" in signed_in.get(page_of(bot, "")).text


@PUBLIC
def test_what_telegram_says_went_wrong_is_shown_with_what_to_do(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    url = registered(telegram)
    hostile = f"<script>alert(1)</script> {url} 502 Bad Gateway"
    says(
        telegram,
        url=url,
        pending_update_count=12,
        last_error_message=hostile,
        last_error_date=int((utcnow() - timedelta(minutes=2)).timestamp()),
        allowed_updates=["message"],
    )
    page = signed_in.get(page_of(bot)).text
    assert "<script>alert" not in page
    assert url.rpartition("/")[2] not in page, "the path is a secret"
    one = shown(page, "Telegram's last error")
    assert "502 Bad Gateway" in one
    assert f'action="/dashboard/bots/{bot.id}/webhook/use-polling"' in one
    assert "12" in shown(page, "Waiting at Telegram")
    kinds = shown(page, "Kinds of update that Telegram sends")
    assert "chat_member" in kinds
    assert f'href="/dashboard/bots/{bot.id}/webhook/receiving"' in kinds


@pytest.mark.given(WEBHOOK_BASE_URL="http://127.0.0.1:5000")
def test_the_public_address_is_looked_at(bot: Bot) -> None:
    facts = doctor.gather(bot, utcnow())
    assert facts.base is not None
    assert (facts.base.scheme, facts.base.port, facts.base.leads) == (
        "http",
        5000,
        Leads.PRIVATE,
    )
    assert facts.own_server, "Telegram is on loopback here"


def test_endpoints_are_looked_at_one_by_one(signed_in: FlaskClient, bot: Bot) -> None:
    make_reception(bot.id, Mode.POLLING)
    plain = make_endpoint(bot.id, "Plain", url="http://10.0.0.7/hook")
    failing = make_endpoint(
        bot.id, "Failing", url="https://8.8.4.4/hook", last_error="HTTP 503", failing_since=utcnow()
    )
    gone = make_endpoint(bot.id, "Gone", url="https://8.8.4.4/", paused_because="gone")
    old = utcnow() - timedelta(hours=2)
    make_delivery(failing, an_update(1), at=old, attempts_made=3, last_error="HTTP 503")
    make_delivery(gone, an_update(2), state=State.DEAD, attempts_made=9)
    page = signed_in.get(page_of(bot)).text
    own = f"/dashboard/bots/{bot.id}/webhook/endpoints"
    one = shown(page, "Endpoint Plain")
    assert "WEBHOOK_ALLOWED_NETWORKS" in one
    assert f'href="{own}/{plain.id}/edit"' in one
    one = shown(page, "Endpoint Failing")
    assert "HTTP 503" in one
    assert f'action="{own}/{failing.id}/try-now"' in one
    assert f'action="{own}/{gone.id}/resume"' in shown(page, "Endpoint Gone")
    lag = shown(page, "Lag")
    assert "2 hours" in lag
    assert "state=due" in lag


def test_privacy_mode_is_told(signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram) -> None:
    telegram.bots[TOKEN]["can_read_all_group_messages"] = False
    assert "Privacy mode is on" in shown(signed_in.get(page_of(bot)).text, "Messages in groups")


def test_the_page_itself_asks_nobody(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    telegram.requests.clear()
    page = signed_in.get(page_of(bot, "")).text
    assert telegram.requests == []
    assert "Examine now" in page
    assert f'hx-get="{page_of(bot)}"' in page
    assert 'hx-trigger="load"' in page


def test_htmx_gets_the_examination_alone_and_its_sum(signed_in: FlaskClient, bot: Bot) -> None:
    answer = signed_in.get(page_of(bot), headers={"HX-Request": "true"})
    assert "<html" not in answer.text
    assert 'id="examination"' in answer.text
    assert "hx-trigger" not in answer.text, "it has come to its end"
    assert re.search(r'id="doctor-summary"[^>]*hx-swap-oob="true"', answer.text)
    assert re.search(r"\d+ findings? needs? attention", answer.text)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
def test_who_is_no_admin_sees_no_repair(
    app: Flask, bot: Bot, telegram: FakeTelegram, role: Role
) -> None:
    make_reception(bot.id, Mode.POLLING, is_paused=True)
    make_endpoint(bot.id, url="http://10.0.0.7/", paused_because="gone")
    client = browser_of(app, bot.team_id, role)
    telegram.requests.clear()
    page = client.get(page_of(bot))
    assert page.status_code == 200
    assert bool(telegram.requests) is (role is Role.MEMBER), "only members ask Telegram"
    main = page.text.partition("<main")[2].partition("</main>")[0]
    assert 'method="post"' not in main
    for act in ("/edit", "/token", "/receiving"):
        assert act not in main
    assert ("Examine again" in main) is (role is Role.MEMBER)


def test_another_teams_bot_is_not_examined(
    signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram
) -> None:
    with writing() as session:
        session.execute(update(Bot).values(team_id=make_team("Others")))
    telegram.requests.clear()
    assert signed_in.get(page_of(bot)).status_code == 404
    assert telegram.requests == []


def test_it_changes_nothing(signed_in: FlaskClient, bot: Bot, telegram: FakeTelegram) -> None:
    make_reception(bot.id, Mode.POLLING)
    telegram.requests.clear()
    signed_in.get(page_of(bot))
    assert [call.method for call in telegram.requests] == ["getMe", "getWebhookInfo"]


def test_trying_again_hurries_what_waits_and_nothing_else(app: Flask, bot: Bot, team: ULID) -> None:
    shop, other = make_endpoint(bot.id), make_endpoint(bot.id, "Other")
    late = make_delivery(shop, an_update(1), attempts_made=3)
    done = make_delivery(shop, an_update(2), state=State.DELIVERED, next_at=None)
    theirs = make_delivery(other, an_update(3))
    member = browser_of(app, team, Role.MEMBER)
    page = member.get(f"/dashboard/bots/{bot.id}")
    own = f"/dashboard/bots/{bot.id}/webhook/endpoints/{shop.id}/try-now"
    answer = member.post(own, data={"csrf_token": csrf_token(page)})
    assert answer.status_code == 303
    assert "1 delivery is tried again now." in member.get(answer.headers["Location"]).text
    hurried, finished, left = (now_is(one).next_at for one in (late, done, theirs))
    assert hurried is not None
    assert hurried <= utcnow()
    assert finished is None
    assert left is not None
    assert left > utcnow()
    assert browser_of(app, team, Role.VIEWER).post(own).status_code == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "url",
    "pending_update_count",
    "last_error_date",
    "last_error_message",
    "ip_address",
    "allowed_updates",
    "last_synchronization_error_date",
)


@given(
    st.dictionaries(st.sampled_from(NAMES), json_values) | json_values,
)
def test_whatever_answers_for_telegram_is_read(found: Any) -> None:
    parts = hook_of(found, BotToken(TOKEN), lambda url: Whose.OTHER)
    assert parts.pending >= 0
    assert parts.error_at is None or parts.error_at.tzinfo is UTC


@given(st.text("abcdefgh0123456789_-", min_size=8, max_size=40), st.text(max_size=30))
def test_what_stands_behind_the_host_is_never_told(secret: str, around: str) -> None:
    info = {
        "url": f"https://tgm.example.com/api/v1/tg-webhook/{secret}",
        "last_error_message": f"{around}{secret} {TOKEN}{around}",
    }
    hook = hook_of(info, BotToken(TOKEN), lambda url: Whose.OTHER)
    assert (hook.whose, hook.host) == (Whose.OTHER, "tgm.example.com")
    assert hook.error is not None
    assert secret not in hook.error.replace(around, "")
    assert SECRET not in hook.error
