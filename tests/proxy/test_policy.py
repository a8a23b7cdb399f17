"""Who may call what: every refusal, and its shape."""

from collections.abc import Callable

import pytest
from flask import Flask
from ulid import ULID

from tests.fakes.serving import Served
from tests.fakes.telegram import FakeTelegram, reply
from tests.proxy.conftest import Program
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.change import changing
from tgm.bots.models import Bot
from tgm.keys import service as keys
from tgm.shared.ids import new_id

pytestmark = pytest.mark.usefixtures("each_way")

LIMIT_HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def test_the_key_may_come_as_a_bearer(program: Program) -> None:
    got = program.call("getMe", headers={"X-API-Key": "", "Authorization": f"bEaReR {program.key}"})
    assert got.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "nonsense"},
        {"X-API-Key": "tgm_live_" + "x" * 33},
        {"X-API-Key": "tgm_live_\xe9"},
        {"X-API-Key": "", "Authorization": "Basic abc"},
        {"X-API-Key": "", "Authorization": "Bearer"},
    ],
)
def test_a_bad_key_gets_401_without_limit_headers(
    program: Program, telegram: FakeTelegram, headers: dict[str, str]
) -> None:
    got = program.call("getMe", headers=headers)
    assert got.status == 401
    assert got.json == {
        "ok": False,
        "error_code": 401,
        "description": "Unauthorized: the API key is missing, wrong, expired or revoked",
    }
    assert got.headers["X-TGM-Source"] == "gateway"
    assert LIMIT_HEADERS.isdisjoint(got.headers.keys())
    assert telegram.requests == []


def test_a_key_in_the_address_is_none(program: Program) -> None:
    got = program.call(f"getMe?api_key={program.key}", headers={"X-API-Key": ""})
    assert got.status == 401


def test_a_401_of_telegrams_is_not_taken_for_one_about_the_key(
    program: Program, telegram: FakeTelegram
) -> None:
    telegram.bots.clear()
    got = program.call("getMe")
    assert (got.status, got.headers["X-TGM-Source"]) == (401, "telegram")


def test_a_revoked_key_looks_like_an_unknown_one_from_the_next_call_on(
    program: Program, team: ULID
) -> None:
    unknown = program.call("getMe", headers={"X-API-Key": "tgm_live_" + "x" * 33})
    keys.revoke(team, keys.of_team(team)[0].id, COMMAND_LINE)
    revoked = program.call("getMe")
    assert (revoked.status, revoked.body) == (unknown.status, unknown.body)


@pytest.mark.parametrize("bot_id", ["unknown", "x", "01HZXK3V5QJ8Y3N6M2R7T4W9AB", "123456789"])
def test_no_such_bot(program: Program, bot_id: str) -> None:
    got = program.call("getMe", bot_id=bot_id)
    assert (got.status, got.json["error_code"]) == (404, 404)
    assert got.headers["X-TGM-Source"] == "gateway"
    assert set(got.headers.keys()) >= LIMIT_HEADERS


def test_no_bot_at_all(program: Program) -> None:
    got = program.served.call("POST", "/api/v1/bots/", b"", {"X-API-Key": program.key})
    assert (got.status, got.json["error_code"]) == (404, 404)
    assert set(got.headers.keys()) >= LIMIT_HEADERS


def test_another_teams_bot_looks_like_none_at_all(program: Program, other_bot: Bot) -> None:
    theirs = program.call("getMe", bot_id=str(other_bot.id))
    none = program.call("getMe", bot_id=str(new_id()))
    assert (theirs.status, theirs.body) == (none.status, none.body) == (404, none.body)


def test_a_bot_that_the_key_is_not_for_looks_like_none_at_all(
    served: Served, bot: Bot, team: ULID, telegram: FakeTelegram, make_key: Callable[..., str]
) -> None:
    token = "555555:AAanotherBotOfTheSameTeam_0123456789abc"
    telegram.add_bot(token, "Second", "second_bot")
    second = bots.add(team, token, None, COMMAND_LINE)
    key = make_key(bot_ids=frozenset({bot.id}))
    assert Program(served, str(bot.id), key).call("getMe").status == 200
    assert Program(served, str(second.id), key).call("getMe").status == 404


def test_a_disabled_bot_is_refused_from_the_next_call_on(
    program: Program, bot: Bot, team: ULID, telegram: FakeTelegram
) -> None:
    assert program.call("getMe").status == 200
    bots.disable(team, bot.id, COMMAND_LINE)
    telegram.requests.clear()
    got = program.call("getMe")
    assert (got.status, got.json["description"]) == (403, "Forbidden: bot is disabled")
    assert telegram.requests == []
    bots.enable(team, bot.id, COMMAND_LINE)
    assert program.call("getMe").status == 200


@pytest.mark.parametrize(
    ("patterns", "method", "status"),
    [
        ("*", "sendMessage", 200),
        ("send*", "SendMessage", 200),
        ("SEND*", "sendmessage", 200),
        ("getMe", "GETME", 200),
        ("send*", "getMe", 403),
        ("getMe", "getMeToo", 403),
        ("*", "logout", 403),
        ("*", "Close", 403),
        ("log* clos*", "logOut", 403),
        ("send*", "setWebhook", 403),
        ("* logOut", "logout", 200),
    ],
)
def test_method_patterns(
    served: Served,
    bot: Bot,
    make_key: Callable[..., str],
    telegram: FakeTelegram,
    patterns: str,
    method: str,
    status: int,
) -> None:
    got = Program(served, str(bot.id), make_key(methods=patterns)).call(method)
    assert got.status == status
    if status == 403:
        assert "not allowed" in got.json["description"]
        assert telegram.requests == []


@pytest.mark.parametrize(
    "tail", ["%64eleteWebhook", "?method=deleteWebhook", "", "test/getMe", "delete%57ebhook"]
)
def test_nothing_slips_past_the_policy(program: Program, telegram: FakeTelegram, tail: str) -> None:
    got = program.call(tail)
    assert (got.status, got.headers["X-TGM-Source"]) == (404, "gateway")
    assert telegram.requests == []


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_verbs_get_405_and_are_told_which(program: Program, verb: str) -> None:
    got = program.call("getMe", verb=verb)
    assert (got.status, got.headers["Allow"]) == (405, "GET, POST")
    assert got.json["error_code"] == 405
    assert set(got.headers.keys()) >= LIMIT_HEADERS


@pytest.mark.parametrize("verb", ["PUT", "OPTIONS", "POST", "HEAD"])
@pytest.mark.parametrize("address", ["file/photos/1.jpg", "jobs/01J00000000000000000000000"])
def test_what_can_only_be_read_says_so(program: Program, address: str, verb: str) -> None:
    got = program.call(address, None, verb=verb)
    assert (got.status, got.headers["Allow"]) == (405, "GET")


def test_head_gets_405_too(program: Program) -> None:
    assert program.call("getMe", None, verb="HEAD").status == 405


@pytest.mark.given(WEBHOOK_BASE_URL="https://tgm.example.com")
def test_the_relays_address_is_hidden_in_webhook_info(
    program: Program, telegram: FakeTelegram
) -> None:
    url = "https://tgm.example.com/api/v1/tg-webhook/SECRETPATH"
    info = {"url": url, "ip_address": "203.0.113.9", "last_error_message": f"{url}: 500"}
    telegram.always("getWebhookInfo", reply({"ok": True, "result": info}))
    got = program.call("getWebhookInfo")
    # Telegram knows of TGM's webhook only; a program hears of its own.
    assert got.json["result"]["url"] == ""
    assert not {"ip_address", "last_error_message"} & got.json["result"].keys()
    assert telegram.calls("getWebhookInfo") == []


def test_an_unknown_address_below_the_api_answers_in_telegrams_shape(served: Served) -> None:
    got = served.call("GET", "/api/v1/nothing")
    assert (got.status, got.json["error_code"]) == (404, 404)
    assert got.headers["X-TGM-Source"] == "gateway"


def test_a_token_that_cannot_be_opened_is_our_fault_and_says_nothing(
    app: Flask, program: Program, bot: Bot
) -> None:
    with changing() as session:
        session.get_one(Bot, bot.id).sealed_token = "00000000.AAAA"
    got = program.call("getMe")
    assert (got.status, got.json["description"]) == (500, "Internal Server Error")
