"""What Telegram answers comes back untouched, and what is no answer becomes a 502."""

import gzip
import http.client
import socket
import threading
from contextlib import suppress

import pytest

from tests.fakes.telegram import TOKEN, FakeTelegram, Reply, chunked, refusal, reply
from tests.proxy.conftest import Program

pytestmark = pytest.mark.usefixtures("each_way")

BIG = bytes(range(256)) * 1024  # 256 KiB


def test_status_body_and_type_come_back_as_they_are(
    program: Program, telegram: FakeTelegram
) -> None:
    body = b'{ "ok":true , "result":{"x":"\\u00e9"} }\n'
    telegram.replies(reply(body, 200, headers={"Content-Type": "application/json;charset=weird"}))
    got = program.call("sendMessage")
    assert (got.status, got.body) == (200, body)
    assert got.headers["Content-Type"] == "application/json;charset=weird"
    assert got.headers["X-TGM-Source"] == "telegram"


@pytest.mark.parametrize("status", [201, 400, 401, 403, 404, 409, 418, 500, 503])
def test_telegrams_own_errors_come_back_as_they_are(
    program: Program, telegram: FakeTelegram, status: int
) -> None:
    telegram.replies(refusal(status, "Whatever Telegram says", migrate_to_chat_id=-100123))
    got = program.call("sendMessage")
    assert got.status == status
    assert got.json["parameters"] == {"migrate_to_chat_id": -100123}
    assert got.headers["X-TGM-Source"] == "telegram"


def test_telegrams_retry_after_is_not_rewritten(program: Program, telegram: FakeTelegram) -> None:
    telegram.replies(refusal(429, "Too Many Requests: retry after 42", retry_after=42))
    got = program.call("sendMessage")
    assert (got.status, got.headers["Retry-After"]) == (429, "42")
    assert got.json["parameters"] == {"retry_after": 42}
    assert got.headers["X-TGM-Source"] == "telegram"


def test_a_compressed_answer_stays_compressed(program: Program, telegram: FakeTelegram) -> None:
    packed = gzip.compress(b'{"ok":true}')
    telegram.replies(reply(packed, headers={"Content-Encoding": "gzip"}))
    got = program.call("getMe")
    assert (got.body, got.headers["Content-Encoding"]) == (packed, "gzip")


@pytest.mark.parametrize("body", [b'{"ok":true}', BIG], ids=["small", "big"])
def test_a_chunked_answer_arrives_whole(
    program: Program, telegram: FakeTelegram, body: bytes
) -> None:
    telegram.replies(chunked(body))
    assert program.call("getMe").body == body


@pytest.mark.parametrize("body", [b'{"ok":true}', BIG], ids=["small", "big"])
def test_an_answer_that_ends_with_its_connection_arrives_whole(
    program: Program, telegram: FakeTelegram, body: bytes
) -> None:
    telegram.replies(Reply(b"HTTP/1.1 200 OK\r\n\r\n" + body, close=True))
    assert program.call("getMe").body == body


def test_headers_of_telegrams_own_do_not_pass(program: Program, telegram: FakeTelegram) -> None:
    telegram.replies(
        reply(b"{}", headers={"Set-Cookie": "a=b", "Location": f"http://x/bot{TOKEN}", "Via": "1"})
    )
    got = program.call("getMe")
    assert {"Set-Cookie", "Location", "Via", "Server", "Vary"}.isdisjoint(got.headers.keys())


def test_an_answer_without_a_type_gets_none(program: Program, telegram: FakeTelegram) -> None:
    telegram.replies(Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
    assert "Content-Type" not in program.call("getMe").headers


def test_a_strange_reason_breaks_nothing(program: Program, telegram: FakeTelegram) -> None:
    telegram.replies(Reply(b"HTTP/1.1 200 \xff\r\nContent-Length: 2\r\n\r\n{}"))
    got = program.call("getMe")
    assert (got.status, got.body) == (200, b"{}")


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: abc",
        b"Content-Length: -5",
        b"Content-Length: 5, 7",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Type: application/json;\r\n charset=utf-8",
        b"Content-Type : text/plain",
        b"Content-Type: a\x00b",
        b"X: " + b"y" * 200_000,
    ],
)
def test_an_answer_that_breaks_the_rules_of_http_is_none(
    program: Program, telegram: FakeTelegram, header: bytes
) -> None:
    telegram.replies(Reply(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n{}", close=True))
    assert program.call("getMe").status == 502
    telegram.replies(reply({"ok": True, "result": "next"}))
    assert program.call("getMe").json["result"] == "next"


def test_an_early_hint_is_not_taken_for_the_answer(
    program: Program, telegram: FakeTelegram
) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    telegram.replies(Reply(hint + reply({"ok": True, "result": "first"}).raw))
    assert program.call("getMe").status == 502
    telegram.replies(reply({"ok": True, "result": "second"}))
    assert program.call("getMe").json["result"] == "second"


def test_another_protocol_is_not_taken_up(program: Program, telegram: FakeTelegram) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
    telegram.replies(Reply(head, close=True))
    assert program.call("getMe").status == 502


def test_a_trailer_is_no_header(program: Program, telegram: FakeTelegram) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    telegram.replies(Reply(head + b"2\r\n{}\r\n0\r\nRetry-After: 5\r\n\r\n"))
    got = program.call("getMe")
    assert got.body == b"{}"
    assert "Retry-After" not in got.headers


@pytest.mark.parametrize("size", [1000, 300_000], ids=["whole", "stream"])
def test_the_token_is_in_no_answer_however_long(
    program: Program, telegram: FakeTelegram, size: int
) -> None:
    body = b"x" * size + TOKEN.encode() + b"y" * size
    telegram.replies(reply(body), reply(body, headers={"Content-Encoding": "identity"}))
    for _ in range(2):
        got = program.call("getMe")
        assert TOKEN.encode() not in got.body
        assert got.body.startswith(b"x" * size)
        assert got.body.endswith(b"y" * size)
    telegram.replies(reply(b"{}", headers={"Retry-After": TOKEN, "Content-Type": TOKEN}))
    assert TOKEN not in str(program.call("getMe").headers)


@pytest.mark.parametrize("method", ["getFile", "GETFILE"])
def test_what_cannot_be_looked_into_does_not_pass(
    program: Program, telegram: FakeTelegram, method: str
) -> None:
    telegram.replies(reply(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}))
    assert program.call(method).status == 502
    telegram.replies(reply(b"x" * 200_000))
    assert program.call(method).status == 502


def assert_bad_gateway(program: Program, telegram: FakeTelegram) -> None:
    got = program.call("sendMessage")
    assert got.status == 502
    assert got.headers["X-TGM-Source"] == "gateway"
    assert got.headers["X-RateLimit-Limit"]
    assert (got.json["ok"], got.json["error_code"]) == (False, 502)
    assert got.json["description"].startswith("Telegram could not be reached")
    for secret in (TOKEN, telegram.url, "127.0.0.1", "bot1234"):
        assert secret not in got.body.decode() + str(got.headers)


WHOLE = reply({"ok": True, "result": "x" * 1000}).raw


@pytest.mark.parametrize(
    "answer",
    [
        Reply(b"", close=True),
        Reply(b"SSH-2.0-OpenSSH_9.2\r\n", close=True),
        Reply(b"\x15\x03\x01\x00\x02\x02", close=True),
        Reply(b"HTTP/1.1 abc\r\n\r\n", close=True),
        Reply(b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Reply(b"HTTP/1.1 200 OK\r\n\r\n", close=True),
        Reply(WHOLE[:-1], close=True),
        Reply(WHOLE[:-900], close=True),
        Reply(reply(b"x" * 60_000).raw[:-1], close=True),
        chunked(b'{"ok":true}', whole=False),
        Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n", close=True),
        Reply(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", close=True),
    ],
    ids=[
        "nothing",
        "ssh",
        "tls",
        "no status",
        "cut in the head",
        "empty",
        "empty without length",
        "one byte short",
        "cut in the body",
        "cut at the end of 60 kB",
        "cut in the chunks",
        "no chunk size",
        "too many headers",
    ],
)
def test_what_is_no_answer_becomes_a_502(
    program: Program, telegram: FakeTelegram, answer: Reply
) -> None:
    telegram.replies(answer)
    assert_bad_gateway(program, telegram)


def test_no_connection_becomes_a_502(program: Program, telegram: FakeTelegram) -> None:
    telegram.__exit__()
    assert_bad_gateway(program, telegram)


def test_a_post_is_never_sent_twice(program: Program, telegram: FakeTelegram) -> None:
    assert program.call("getMe").status == 200
    telegram.requests.clear()
    telegram.replies(Reply(b"", close=True))
    assert program.call("sendMessage").status == 502
    assert len(telegram.requests) == 1


@pytest.mark.given(TELEGRAM_TIMEOUT_SECONDS="1")
def test_no_answer_in_time_becomes_a_502(program: Program, telegram: FakeTelegram) -> None:
    gate = threading.Event()
    telegram.replies(reply(b"{}", gate=gate))
    assert_bad_gateway(program, telegram)
    gate.set()


@pytest.mark.parametrize("with_length", [True, False])
def test_a_long_answer_that_breaks_off_does_not_end_as_if_whole(
    program: Program, telegram: FakeTelegram, with_length: bool
) -> None:
    if with_length:
        raw = reply(BIG).raw[:-1000]
        telegram.replies(Reply(raw, close=True))
    else:
        telegram.replies(chunked(BIG, size=5000, whole=False))
    # Without a thread, all of it is awaited before anything goes out: it can still become a 502.
    with suppress(http.client.IncompleteRead):
        assert program.call("getStickerSet").status == 502


def test_a_caller_that_goes_away_frees_everything(program: Program, telegram: FakeTelegram) -> None:
    telegram.replies(reply(b"x" * 20_000_000))
    with socket.create_connection(program.served.address, timeout=30) as connection:
        head = f"POST /api/v1/bots/{program.bot_id}/getMe HTTP/1.1\r\nHost: x\r\n"
        connection.sendall(f"{head}X-API-Key: {program.key}\r\n\r\n".encode())
        assert connection.recv(1000)
    assert program.call("getMe").status == 200
