"""Telegram's own addresses lead into the same gateway as TGM's."""

import json
from collections.abc import Callable

import pytest
from ulid import ULID

from tests.dropin.conftest import Library
from tests.fakes.serving import Served
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dropin.tokens import virtual_token
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.proxy import reading
from tgm.proxy.requestlog import Filter

pytestmark = pytest.mark.usefixtures("each_way")

BODY = b'{"chat_id": 1, "text": "Halo"}'
UNAUTHORIZED = {"ok": False, "error_code": 401, "description": "Unauthorized"}
NOT_FOUND = {"ok": False, "error_code": 404, "description": "Not Found"}


def test_a_call_reaches_telegram_byte_for_byte(library: Library, telegram: FakeTelegram) -> None:
    answer = library.call("sendMessage", BODY)
    assert (answer.status, answer.headers["X-TGM-Source"]) == (200, "telegram")
    (request,) = telegram.calls("sendMessage")
    assert (request.body, request.target) == (BODY, f"/bot{TOKEN}/sendMessage")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert int(answer.headers["X-RateLimit-Remaining"]) == 59


@pytest.mark.parametrize("colon", [":", "%3A", "%3a"])
def test_the_colon_may_be_encoded(library: Library, colon: str) -> None:
    answer = library.call("getMe", None, verb="GET", token=library.token.replace(":", colon))
    assert answer.json["result"]["username"] == "tgm_test_bot"


def test_a_file_comes_down(library: Library, telegram: FakeTelegram) -> None:
    telegram.files["photos/1.jpg"] = b"jpeg" * 1000
    assert library.file("photos/1.jpg").body == b"jpeg" * 1000


def test_both_ways_in_are_one_log_one_limit_and_one_memory(
    library: Library, served: Served, bot: Bot, key: str, team: ULID, telegram: FakeTelegram
) -> None:
    once = {"Idempotency-Key": "order-1"}
    first = library.call("sendMessage", BODY, headers=once)
    again = served.call(
        "POST",
        f"/api/v1/bots/{bot.id}/sendMessage",
        BODY,
        {"X-API-Key": key, "Content-Type": "application/json", **once},
    )
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.body == first.body
    assert len(telegram.calls("sendMessage")) == 1
    assert int(again.headers["X-RateLimit-Remaining"]) == 58
    rows = reading.page(team, Filter(method="sendmessage")).rows
    assert [(row.method, row.status) for row in rows] == [("sendMessage", 200)] * 2


@pytest.mark.parametrize("token", ["", "abc", "123456", "123456:", "123456:a b", "%31:abc"])
def test_what_is_no_token_is_not_found(library: Library, token: str) -> None:
    answer = library.call("getMe", token=token.replace(" ", "%20"))
    assert (answer.status, answer.json) == (404, NOT_FOUND)


def test_every_bad_token_gets_telegrams_one_answer(
    library: Library, bot: Bot, make_key: Callable[..., str], other_bot: Bot, team: ULID
) -> None:
    secret = library.token.partition(":")[2]
    old, revoked = keys.make(team, Rights("Old"), COMMAND_LINE)
    keys.revoke(team, old.id, COMMAND_LINE)
    for token in (
        f"{bot.telegram_id}:{'x' * 33}",
        f"{bot.telegram_id}:short",
        f"{other_bot.telegram_id}:{secret}",
        f"999999999:{secret}",
        virtual_token(bot.telegram_id, revoked.value).value,
        TOKEN,
        OTHER_TOKEN,
    ):
        answer = library.call("getMe", token=token)
        assert (answer.status, answer.json) == (401, UNAUTHORIZED), token


@pytest.mark.parametrize(
    "method", ["test/getMe", "%67etMe", "", "?method=getMe", "getMe/", "get_me"]
)
def test_what_is_no_method_is_not_found(library: Library, method: str) -> None:
    answer = library.call(method)
    assert (answer.status, answer.json) == (404, NOT_FOUND)


@pytest.mark.parametrize("method", ["logOut", "LOGOUT", "close"])
def test_what_would_take_the_bot_away_is_refused_and_says_why(
    served: Served, bot: Bot, make_key: Callable[..., str], telegram: FakeTelegram, method: str
) -> None:
    token = virtual_token(bot.telegram_id, make_key(methods=method)).value
    answer = Library(served, token).call(method)
    assert answer.status == 403
    assert "move it with" in answer.json["description"]
    assert telegram.requests == []
    runtime.request_log.flush()
    (row,) = reading.page(bot.team_id, Filter(bot_id=bot.id)).rows
    assert (row.method.lower(), row.status) == (method.lower(), 403)
    # Whose bot it is not learns nothing more than with any other method.
    assert Library(served, f"1{token}").call(method).json == UNAUTHORIZED


def test_the_keys_rights_hold_here_too(
    served: Served, bot: Bot, make_key: Callable[..., str], library: Library, team: ULID
) -> None:
    reader = Library(served, virtual_token(bot.telegram_id, make_key(methods="get*")).value)
    assert reader.call("getMe").status == 200
    assert reader.call("sendMessage", BODY).status == 403
    bots.disable(team, bot.id, COMMAND_LINE)
    assert library.call("getMe").status == 403


def test_the_limit_speaks_telegrams_words(
    served: Served, bot: Bot, make_key: Callable[..., str]
) -> None:
    library = Library(served, virtual_token(bot.telegram_id, make_key(per_minute=1)).value)
    assert library.call("getMe").status == 200
    answer = library.call("getMe")
    wait = answer.json["parameters"]["retry_after"]
    assert answer.json["description"] == f"Too Many Requests: retry after {wait}"
    assert answer.headers["Retry-After"] == str(wait)


def test_a_large_upload_passes_with_a_key_and_not_without(
    library: Library, telegram: FakeTelegram
) -> None:
    photo = b"x" * 3_000_000
    headers = {"Content-Type": "application/octet-stream"}
    assert library.call("sendPhoto", photo, headers=headers).status == 200
    assert telegram.calls("sendPhoto")[0].body == photo
    stranger = library.call("sendPhoto", photo, headers=headers, token="123:abc")
    assert stranger.status == 401
    assert json.loads(stranger.body) == UNAUTHORIZED


def test_nothing_of_the_token_is_written_down(
    library: Library, caplog: pytest.LogCaptureFixture, team: ULID
) -> None:
    for method in ("getMe", "nothing/here", "sendMessage"):
        library.call(method)
    library.file("../etc/passwd")
    secret = library.token.partition(":")[2]
    assert secret not in caplog.text
    rows = reading.page(team, Filter()).rows
    assert rows
    assert all(secret not in repr(row) for row in rows)
    assert secret not in repr(runtime.gateway)
