"""Calls of a bot that keeps Telegram's pace: held briefly, refused where that takes too long."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from ulid import ULID

from tests.dropin.conftest import Library
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import FakeTelegram, Recorded, Reply, refusal, reply
from tests.live.listening import wait_until
from tests.proxy.conftest import Program
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dropin.tokens import virtual_token
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.proxy.models import RequestLogEntry

PATIENT = {"Prefer": "wait=30"}
HURRIED = {"Prefer": "wait=0"}


def message(chat: object, text: str = "Hello") -> bytes:
    return json.dumps({"chat_id": chat, "text": text}).encode()


@pytest.fixture
def paced(team: ULID, bot: Bot) -> Bot:
    return bots.keep_pace(team, bot.id, True, COMMAND_LINE)


@pytest.fixture
def in_background(paced: Bot) -> Iterator[Callable[..., Future[Got]]]:
    with ThreadPoolExecutor(32) as pool:
        yield lambda *args, **more: pool.submit(*args, **more)


@pytest.fixture
def closed_room(app: Flask) -> Iterator[None]:
    yield
    runtime.sending.stop()


pytestmark = pytest.mark.usefixtures("closed_room")


def start(program: Program, body: bytes, more: str = "") -> socket.socket:
    """Send a call and leave its answer unread."""
    connection = socket.create_connection(program.served.address, timeout=30)
    head = (
        f"POST /api/v1/bots/{program.bot_id}/sendMessage HTTP/1.1\r\nHost: tgm\r\n"
        f"X-API-Key: {program.key}\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def held() -> int:
    return len(runtime.sending.room)


def test_two_messages_to_one_chat_leave_a_second_apart_and_neither_fails(
    program: Program, paced: Bot, telegram: FakeTelegram
) -> None:
    arrivals: list[float] = []

    def answer(_call: Recorded) -> Reply:
        arrivals.append(time.monotonic())
        return reply({"ok": True, "result": True})

    telegram.always("sendMessage", answer)
    first, second = program.call("sendMessage", message(5)), program.call("sendMessage", message(5))
    assert (first.status, second.status) == (200, 200)
    assert first.headers["X-TGM-Source"] == second.headers["X-TGM-Source"] == "telegram"
    assert sorted(second.headers.keys()) == sorted(first.headers.keys())
    assert int(second.headers["X-RateLimit-Remaining"]) < int(
        first.headers["X-RateLimit-Remaining"]
    )
    # It waits from the turn of the first on, which left a moment after it.
    assert arrivals[1] - arrivals[0] > 0.5


@pytest.mark.given(THREADS="4")
def test_calls_that_are_held_hold_no_threads(
    program: Program, paced: Bot, telegram: FakeTelegram
) -> None:
    assert program.call("sendMessage", message(5)).status == 200
    waiting = [start(program, message(5), "Prefer: wait=30\r\n") for _ in range(8)]
    wait_until(lambda: held() >= 7, "the calls are held")
    for chat in range(6, 12):
        assert program.call("sendMessage", message(chat)).status == 200
    assert program.call("getMe").status == 200
    assert held() >= 5, "they wait still"
    for connection in waiting:
        connection.close()


def test_a_caller_that_has_gone_gets_nothing_sent_and_frees_its_turn(
    program: Program, paced: Bot, telegram: FakeTelegram
) -> None:
    # Counts as four, so that the next one's turn is four seconds later: time enough to go.
    album = json.dumps({"chat_id": 5, "media": [{"type": "photo", "media": "x"}] * 4}).encode()
    assert program.call("sendMediaGroup", album).status == 200
    start(program, message(5, "gone"), "Idempotency-Key: a\r\n").close()
    wait_until(lambda: noted("caller_gone"), "the call is noted")
    # The turn behind its own would be too late for this.
    wishes = {"Idempotency-Key": "a", "Prefer": "wait=4"}
    got = program.call("sendMessage", message(5, "gone"), headers=wishes)
    assert got.status == 200
    assert "Idempotency-Replayed" not in got.headers
    assert len(telegram.calls("sendMessage")) == 1


def noted(error: str | None) -> list[RequestLogEntry]:
    runtime.request_log.flush()
    db.session.rollback()
    return db.session.query(RequestLogEntry).filter_by(error=error).all()


def test_a_held_call_is_noted_as_what_it_came_to(program: Program, paced: Bot) -> None:
    for _ in range(2):
        program.call("sendMessage", message(5))
    wait_until(lambda: len(noted(None)) == 2, "both calls are noted")
    second = noted(None)[1]
    assert (second.status, second.source, second.method) == (200, "telegram", "sendMessage")
    assert second.milliseconds > 800
    assert second.bytes_out > 0


def test_whoever_will_not_wait_gets_telegrams_words_at_once(
    program: Program, paced: Bot, telegram: FakeTelegram
) -> None:
    assert program.call("sendMessage", message(5), headers=HURRIED).status == 200
    got = program.call("sendMessage", message(5), headers=HURRIED)
    assert got.json == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    assert (got.status, got.headers["Retry-After"]) == (429, "1")
    assert got.headers["X-TGM-Source"] == "gateway"
    assert len(telegram.calls("sendMessage")) == 1
    # Neither another chat nor what sends no message waits.
    assert program.call("sendMessage", message(6), headers=HURRIED).status == 200
    assert program.call("editMessageText", message(5), headers=HURRIED).status == 200
    assert program.call("sendChatAction", message(5), headers=HURRIED).status == 200


def test_what_is_held_when_its_key_ends_is_not_sent(
    served: Served,
    team: ULID,
    paced: Bot,
    telegram: FakeTelegram,
    in_background: Callable[..., Future[Got]],
) -> None:
    key, secret = keys.make(team, Rights("Shop"), COMMAND_LINE)
    shop = Program(served, str(paced.id), secret.value)
    assert shop.call("sendMessage", message(5)).status == 200
    waits = in_background(shop.call, "sendMessage", message(5), headers=PATIENT)
    wait_until(held, "the call is held")
    keys.revoke(team, key.id, COMMAND_LINE)
    got = waits.result(30)
    assert got.status == 401
    assert got.json["description"].startswith("Unauthorized: the API key is missing, wrong")
    assert len(telegram.calls("sendMessage")) == 1


def test_nor_when_its_key_may_not_send_any_more(
    served: Served,
    team: ULID,
    paced: Bot,
    telegram: FakeTelegram,
    in_background: Callable[..., Future[Got]],
) -> None:
    key, secret = keys.make(team, Rights("Shop"), COMMAND_LINE)
    library = Library(served, virtual_token(paced.telegram_id, secret.value).value)
    assert library.call("sendMessage", message(5)).status == 200
    waits = in_background(library.call, "sendMessage", message(5), headers=PATIENT)
    wait_until(held, "the call is held")
    keys.change(team, key.id, Rights("Shop", methods="getMe"), COMMAND_LINE)
    assert waits.result(30).status == 403
    assert len(telegram.calls("sendMessage")) == 1


def test_an_album_counts_as_its_messages(program: Program, paced: Bot) -> None:
    media = [{"type": "photo", "media": "x"}] * 4
    album = json.dumps({"chat_id": 5, "media": media}).encode()
    assert program.call("sendMediaGroup", album).status == 200
    got = program.call("sendMessage", message(5), headers={"Prefer": "wait=2"})
    assert (got.status, got.json["parameters"]["retry_after"]) == (429, 4)


def test_a_group_that_has_had_its_twenty_is_not_waited_for_longer_than_half_a_minute(
    program: Program, paced: Bot
) -> None:
    now = runtime.sending.room.clock()
    for ago in range(20, 0, -1):
        runtime.sending.pace.take(now - ago, str(paced.id), patience=0, chat="-100123")
    got = program.call("sendMessage", message(-100123), headers={"Prefer": "wait=3600"})
    assert got.status == 429
    assert 38 <= got.json["parameters"]["retry_after"] <= 40


def test_a_bot_with_the_switch_off_is_not_held_and_its_429_is_its_callers_own(
    program: Program, telegram: FakeTelegram
) -> None:
    telegram.replies(refusal(429, "Too Many Requests: retry after 9", retry_after=9))
    assert program.call("sendMessage", message(5), headers=HURRIED).status == 429
    for _ in range(3):
        got = program.call("sendMessage", message(5), headers=HURRIED)
        assert (got.status, got.headers["X-TGM-Source"]) == (200, "telegram")


def test_a_429_holds_for_the_whole_bot_whichever_key_and_whichever_way_in(
    program: Program,
    served: Served,
    paced: Bot,
    make_key: Callable[..., str],
    telegram: FakeTelegram,
) -> None:
    flood = refusal(429, "Too Many Requests: retry after 17", retry_after=17)
    telegram.replies(flood)
    got = program.call("sendMessage", message(5), headers=HURRIED)
    assert flood.raw.endswith(got.body), "Telegram's own answer is not touched"
    assert got.headers["X-TGM-Source"] == "telegram"
    library = Library(served, virtual_token(paced.telegram_id, make_key()).value)
    other = Program(served, str(paced.id), make_key())
    for refused in (
        other.call("sendMessage", message(6)),
        other.call("getChat", message(6), headers=HURRIED),
        library.call("sendMessage", message(7), headers=HURRIED),
    ):
        assert refused.status == 429
        assert 15 <= refused.json["parameters"]["retry_after"] <= 17
        assert refused.json["description"].startswith("Too Many Requests: retry after 1")
        assert refused.headers["X-TGM-Source"] == "gateway"
    assert len(telegram.requests) == 1


def test_a_short_429_is_waited_for(program: Program, paced: Bot, telegram: FakeTelegram) -> None:
    telegram.replies(refusal(429, "Too Many Requests: retry after 1", retry_after=1))
    assert program.call("sendMessage", message(5)).status == 429
    got = program.call("getMe")
    assert (got.status, got.headers["X-TGM-Source"]) == (200, "telegram")


def test_what_is_held_while_a_429_comes_in_is_refused_when_it_cannot_wait_for_so_long(
    program: Program,
    paced: Bot,
    telegram: FakeTelegram,
    in_background: Callable[..., Future[Got]],
) -> None:
    assert program.call("sendMessage", message(5)).status == 200
    waits = in_background(program.call, "sendMessage", message(5), headers={"Prefer": "wait=5"})
    wait_until(held, "the call is held")
    telegram.replies(refusal(429, "Too Many Requests: retry after 20", retry_after=20))
    assert program.call("sendMessage", message(6)).status == 429
    got = waits.result(30)
    assert (got.status, got.headers["X-TGM-Source"]) == (429, "gateway")
    assert len(telegram.requests) == 2


def test_both_ways_in_share_one_pace(
    program: Program, served: Served, paced: Bot, make_key: Callable[..., str]
) -> None:
    library = Library(served, virtual_token(paced.telegram_id, make_key()).value)
    assert library.call("sendMessage", message(5)).status == 200
    assert program.call("sendMessage", message("5"), headers=HURRIED).status == 429
    held_answer = library.call("sendMessage?chat_id=5", b"")
    assert held_answer.status == 200
    assert held_answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_large_upload_is_held_and_arrives_byte_for_byte(
    program: Program, paced: Bot, telegram: FakeTelegram
) -> None:
    content = bytes(range(256)) * 12_000
    body = (
        b'--xyz\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n5\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + content + b"\r\n--xyz--\r\n"
    )
    sent = {"Content-Type": "multipart/form-data; boundary=xyz"}
    assert program.call("sendPhoto", body, headers=sent).status == 200
    assert program.call("sendPhoto", body, headers={**sent, **HURRIED}).status == 429
    assert program.call("sendPhoto", body, headers=sent).status == 200
    assert [call.body == body for call in telegram.calls("sendPhoto")] == [True, True]


def test_a_held_call_with_an_idempotency_key_is_made_once(
    program: Program,
    paced: Bot,
    telegram: FakeTelegram,
    in_background: Callable[..., Future[Got]],
) -> None:
    assert program.call("sendMessage", message(5)).status == 200
    named: dict[str, Any] = {"headers": {"Idempotency-Key": "order-1"}}
    first = in_background(program.call, "sendMessage", message(5, "b"), **named)
    wait_until(held, "the call is held")
    assert program.call("sendMessage", message(5, "b"), **named).status == 409
    assert first.result(30).status == 200
    again = program.call("sendMessage", message(5, "b"), **named)
    assert again.body == first.result().body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(telegram.calls("sendMessage")) == 2


def test_a_refused_call_leaves_its_idempotency_key_free(program: Program, paced: Bot) -> None:
    assert program.call("sendMessage", message(5)).status == 200
    named = {"Idempotency-Key": "order-1"}
    got = program.call("sendMessage", message(5, "b"), headers={**named, **HURRIED})
    assert got.status == 429
    assert program.call("sendMessage", message(5, "b"), headers=named).status == 200


def test_the_connection_goes_on_after_a_held_call(program: Program, paced: Bot) -> None:
    connection = http.client.HTTPConnection(*program.served.address, timeout=30)
    head = {"X-API-Key": program.key, "Content-Type": "application/json"}
    for _ in range(3):
        target = f"/api/v1/bots/{program.bot_id}/sendMessage"
        connection.request("POST", target, message(5), head)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["ok"]) == (200, True)
    connection.close()


def test_what_is_held_when_tgm_stops_is_refused_and_not_sent(
    program: Program,
    paced: Bot,
    telegram: FakeTelegram,
    in_background: Callable[..., Future[Got]],
) -> None:
    assert program.call("sendMessage", message(5)).status == 200
    waits = in_background(program.call, "sendMessage", message(5))
    wait_until(held, "the call is held")
    runtime.sending.stop()
    assert waits.result(30).status == 429
    assert len(telegram.calls("sendMessage")) == 1


def test_where_a_connection_cannot_be_kept_the_thread_waits(
    app: Flask, paced: Bot, make_key: Callable[..., str]
) -> None:
    head = {"X-API-Key": make_key()}
    target = f"/api/v1/bots/{paced.id}/sendMessage"
    began = time.monotonic()
    for _ in range(2):
        got = app.test_client().post(
            target, data=message(5), headers=head, content_type="text/json"
        )
        assert got.status_code == 200
    assert time.monotonic() - began > 0.9


def test_a_bot_that_is_disabled_meanwhile_gets_nothing_of_what_is_held(
    program: Program,
    team: ULID,
    paced: Bot,
    telegram: FakeTelegram,
    in_background: Callable[..., Future[Got]],
) -> None:
    assert program.call("sendMessage", message(5)).status == 200
    waits = in_background(program.call, "sendMessage", message(5))
    wait_until(held, "the call is held")
    bots.disable(team, paced.id, COMMAND_LINE)
    assert waits.result(30).json["description"] == "Forbidden: bot is disabled"
    assert len(telegram.calls("sendMessage")) == 1
