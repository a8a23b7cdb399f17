"""Large bodies: the limit, and the memory they may take."""

import pytest

from tests.fakes.serving import Served
from tests.fakes.telegram import FakeTelegram
from tests.proxy.conftest import Program

pytestmark = pytest.mark.usefixtures("each_way")

MEBIBYTE = 1024 * 1024


@pytest.mark.given(MAX_UPLOAD_MB="1")
class TestTooLarge:
    """1 MiB of file, 1 MiB for the frame."""

    def refused(self, program: Program, body: bytes, **headers: str) -> None:
        got = program.call("sendDocument", body, headers=headers)
        assert (got.status, got.json["error_code"]) == (413, 413)
        assert "1 MB" in got.json["description"]
        assert got.headers["X-TGM-Source"] == "gateway"
        assert got.headers["X-RateLimit-Limit"]

    def test_the_limit_itself_fits(self, program: Program, telegram: FakeTelegram) -> None:
        body = b"x" * (2 * MEBIBYTE)
        assert program.call("sendDocument", body).status == 200
        assert telegram.requests[0].body == body

    def test_one_byte_more_is_refused_and_the_caller_sees_the_answer(
        self, program: Program, telegram: FakeTelegram
    ) -> None:
        self.refused(program, b"x" * (2 * MEBIBYTE + 1))
        self.refused(program, b"x" * (20 * MEBIBYTE))
        assert telegram.requests == []

    def test_without_a_length_it_is_refused_as_well(
        self, program: Program, telegram: FakeTelegram
    ) -> None:
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        raw = (
            (
                f"POST /api/v1/bots/{program.bot_id}/sendDocument HTTP/1.1\r\nHost: x\r\n"
                f"X-API-Key: {program.key}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ).encode()
            + chunk * 33
            + b"0\r\n\r\n"
        )
        answer = program.served.raw(raw)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"error_code": 413' in answer
        assert telegram.requests == []

    def test_a_caller_that_asks_first_sends_nothing(self, program: Program) -> None:
        raw = (
            f"POST /api/v1/bots/{program.bot_id}/sendDocument HTTP/1.1\r\nHost: x\r\n"
            f"X-API-Key: {program.key}\r\nContent-Length: 99999999\r\n"
            "Expect: 100-continue\r\n\r\n"
        ).encode()
        answer = program.served.raw(raw)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"100 Continue" not in answer

    def test_a_bad_key_is_refused_first(self, served: Served, program: Program) -> None:
        got = program.call("sendDocument", b"x" * (3 * MEBIBYTE), headers={"X-API-Key": "no"})
        assert got.status == 401


def test_without_a_key_a_large_body_is_not_even_kept(program: Program) -> None:
    """It is refused for the key; what shows that it was not kept is that nobody waited for it."""
    raw = (
        f"POST /api/v1/bots/{program.bot_id}/sendDocument HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 40000000\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
    answer = program.served.raw(raw)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer


@pytest.mark.parametrize("length", ["9" * 19, "9" * 5000, "-1", "1, 2", "x"])
def test_a_length_that_is_none_is_said_in_telegrams_shape(program: Program, length: str) -> None:
    raw = (
        f"POST /api/v1/bots/{program.bot_id}/getMe HTTP/1.1\r\nHost: x\r\n"
        f"X-API-Key: {program.key}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
    answer = program.served.raw(raw)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"ok": false' in answer
    assert b"X-TGM-Source: gateway" in answer


@pytest.mark.parametrize("tail", [b"5\r\nhellooo", b"zz\r\n"])
def test_a_broken_chunk_is_said_in_telegrams_shape(program: Program, tail: bytes) -> None:
    raw = (
        f"POST /api/v1/bots/{program.bot_id}/getMe HTTP/1.1\r\nHost: x\r\n"
        f"X-API-Key: {program.key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode() + tail
    answer = program.served.raw(raw)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"ok": false' in answer


def test_a_screens_form_has_a_limit_of_its_own(served: Served) -> None:
    got = served.call(
        "POST",
        "/auth/sign-in",
        b"a=" + b"x" * (2 * MEBIBYTE),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert got.status == 413
