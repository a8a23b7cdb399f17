"""The same Idempotency-Key acts once."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from ulid import ULID

from tests.ending import join
from tests.fakes.telegram import FakeTelegram, Reply, refusal, reply
from tests.proxy.conftest import Program
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.database import WRITER
from tgm.extensions import db
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.proxy.idempotency import KEPT, LEASE, IdempotencyStore, Ticket
from tgm.shared.clock import utcnow

pytestmark = pytest.mark.usefixtures("each_way")

ONCE = {"Idempotency-Key": "order-2437234"}
SENT = b'{"chat_id":1,"text":"hi"}'


def test_a_repeat_gets_the_first_answer_without_a_second_call(
    program: Program, telegram: FakeTelegram
) -> None:
    first = program.call("sendMessage", SENT, headers=ONCE)
    again = program.call("SENDMESSAGE", SENT, headers=ONCE)
    assert len(telegram.requests) == 1
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["X-TGM-Source"] == "telegram"
    # A repeat is a call like any other, and counts.
    assert int(again.headers["X-RateLimit-Remaining"]) < int(first.headers["X-RateLimit-Remaining"])


def test_without_the_header_every_call_acts(program: Program, telegram: FakeTelegram) -> None:
    program.call("sendMessage", SENT)
    program.call("sendMessage", SENT)
    assert len(telegram.requests) == 2


@pytest.mark.parametrize(
    ("method", "body"), [("sendMessage", b'{"chat_id":2}'), ("editMessageText", SENT)]
)
def test_another_request_with_the_same_key_gets_422(
    program: Program, telegram: FakeTelegram, method: str, body: bytes
) -> None:
    program.call("sendMessage", SENT, headers=ONCE)
    got = program.call(method, body, headers=ONCE)
    assert (got.status, got.json["error_code"]) == (422, 422)
    assert got.headers["X-TGM-Source"] == "gateway"
    assert len(telegram.requests) == 1


def test_the_same_key_for_another_bot_gets_422(
    program: Program, telegram: FakeTelegram, team: ULID
) -> None:
    token = "555555:AAanotherBotOfTheSameTeam_0123456789abc"
    telegram.add_bot(token, "Second", "second_bot")
    second = bots.add(team, token, None, COMMAND_LINE)
    program.call("sendMessage", SENT, headers=ONCE)
    assert program.call("sendMessage", SENT, headers=ONCE, bot_id=str(second.id)).status == 422


def test_an_answer_that_cannot_be_remembered_still_reaches_the_caller(
    app: Flask, program: Program, telegram: FakeTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    telegram.replies(reply({"ok": True, "result": 7}, gate=gate))
    got: list[Any] = []
    thread = threading.Thread(
        target=lambda: got.append(program.call("sendMessage", SENT, headers=ONCE))
    )
    thread.start()
    telegram.wait_for(1)
    with db.engines[WRITER].begin() as connection:
        connection.execute(text("ALTER TABLE idempotency RENAME TO elsewhere"))
    gate.set()
    join(thread)
    assert (got[0].status, got[0].json["result"]) == (200, 7)
    assert "could not be remembered" in caplog.text


def test_a_form_may_draw_another_boundary(program: Program, telegram: FakeTelegram) -> None:
    def form(boundary: str) -> tuple[bytes, dict[str, str]]:
        body = f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n'.encode()
        body += b"x" * 100_000 + f"\r\n--{boundary}--\r\n".encode()
        return body, {**ONCE, "Content-Type": f"multipart/form-data; boundary={boundary}"}

    for boundary in ("first111", "second22222"):
        body, headers = form(boundary)
        assert program.call("sendPhoto", body, headers=headers).status == 200
    assert len(telegram.requests) == 1
    assert telegram.requests[0].body == form("first111")[0]


def test_a_call_still_under_way_gets_409(program: Program, telegram: FakeTelegram) -> None:
    gate = threading.Event()
    telegram.replies(reply({"ok": True}, gate=gate))
    got: list[Any] = []
    thread = threading.Thread(
        target=lambda: got.append(program.call("sendMessage", SENT, headers=ONCE))
    )
    thread.start()
    telegram.wait_for(1)
    second = program.call("sendMessage", SENT, headers=ONCE)
    gate.set()
    join(thread)
    assert second.status == 409
    assert second.headers["Retry-After"] == "1"
    assert got[0].status == 200
    assert program.call("sendMessage", SENT, headers=ONCE).status == 200
    assert len(telegram.requests) == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (refusal(429, "Too Many Requests", retry_after=1), 429),
        (refusal(500, "Internal"), 500),
        (Reply(b"", close=True), 502),
    ],
)
def test_what_is_not_final_is_not_remembered(
    program: Program, telegram: FakeTelegram, answer: Reply, status: int
) -> None:
    telegram.replies(answer)
    assert program.call("sendMessage", SENT, headers=ONCE).status == status
    got = program.call("sendMessage", SENT, headers=ONCE)
    assert got.status == 200
    assert "Idempotency-Replayed" not in got.headers


def test_a_refusal_of_telegrams_is_final(program: Program, telegram: FakeTelegram) -> None:
    telegram.replies(refusal(400, "Bad Request: chat not found"))
    for _ in range(2):
        got = program.call("sendMessage", SENT, headers=ONCE)
        assert (got.status, got.json["description"]) == (400, "Bad Request: chat not found")
    assert len(telegram.requests) == 1


def test_answers_longer_than_a_block_are_remembered_too(
    program: Program, telegram: FakeTelegram
) -> None:
    big = reply({"ok": True, "result": "x" * 300_000})
    telegram.replies(big)
    first = program.call("sendMessage", SENT, headers=ONCE)
    assert program.call("sendMessage", SENT, headers=ONCE).body == first.body
    assert len(telegram.requests) == 1


def test_keys_do_not_see_each_others(program: Program, team: ULID, telegram: FakeTelegram) -> None:
    _, secret = keys.make(team, Rights("Another"), COMMAND_LINE)
    other = Program(program.served, program.bot_id, secret.value)
    program.call("sendMessage", SENT, headers=ONCE)
    assert "Idempotency-Replayed" not in other.call("sendMessage", SENT, headers=ONCE).headers
    assert len(telegram.requests) == 2


@pytest.mark.parametrize("value", ["x" * 256, "a\tb"])
def test_a_malformed_one_gets_400(program: Program, telegram: FakeTelegram, value: str) -> None:
    got = program.call("sendMessage", SENT, headers={"Idempotency-Key": value})
    assert (got.status, got.json["error_code"]) == (400, 400)
    assert telegram.requests == []


class TestStore:
    """The store by itself, with the time passed in."""

    @pytest.fixture
    def stores(self, app: Flask) -> tuple[IdempotencyStore, IdempotencyStore]:
        """Two processes on one database."""
        engine = db.engines[WRITER]
        return IdempotencyStore(engine), IdempotencyStore(engine)

    def test_a_crash_frees_the_entry_when_its_lease_ends_and_the_log_says_so(
        self,
        stores: tuple[IdempotencyStore, IdempotencyStore],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        dead, alive = stores
        now = utcnow()
        key_id = str(ULID())
        assert isinstance(dead.begin(key_id, "t", "f", now), Ticket)
        later = now + LEASE + timedelta(seconds=1)
        with caplog.at_level(logging.WARNING):
            taken = alive.begin(key_id, "t", "f", later)
        assert isinstance(taken, Ticket)
        assert "outcome unknown" in caplog.text

    def test_while_its_process_lives_the_lease_is_renewed(
        self, stores: tuple[IdempotencyStore, IdempotencyStore]
    ) -> None:
        slow, other = stores
        now = utcnow()
        key_id = str(ULID())
        slow.begin(key_id, "t", "f", now)
        slow.renew(now + LEASE)
        with pytest.raises(Exception, match="still running"):
            other.begin(key_id, "t", "f", now + LEASE + timedelta(seconds=1))

    def test_who_lost_the_entry_no_longer_writes_to_it(
        self, stores: tuple[IdempotencyStore, IdempotencyStore]
    ) -> None:
        slow, other = stores
        now = utcnow()
        key_id = str(ULID())
        ticket = slow.begin(key_id, "t", "f", now)
        assert isinstance(ticket, Ticket)
        later = now + 2 * LEASE
        assert isinstance(other.begin(key_id, "t", "f", later), Ticket)
        slow.abandon(ticket)
        with pytest.raises(Exception, match="still running"):
            slow.begin(key_id, "t", "f", later)

    def test_after_24_hours_a_key_may_stand_for_something_else(
        self, stores: tuple[IdempotencyStore, IdempotencyStore]
    ) -> None:
        store, _ = stores
        now = utcnow()
        key_id = str(ULID())
        store.begin(key_id, "t", "f", now)
        just_before = now + timedelta(hours=24) - timedelta(seconds=1)
        with pytest.raises(Exception, match="used for another"):
            store.begin(key_id, "t", "another", just_before)
        later = now + timedelta(hours=24, seconds=1)
        assert isinstance(store.begin(key_id, "t", "another", later), Ticket)

    def test_old_entries_are_purged(
        self, stores: tuple[IdempotencyStore, IdempotencyStore]
    ) -> None:
        store, _ = stores
        now = utcnow()
        key_id = str(ULID())
        store.begin(key_id, "t", "f", now)
        store.purge(now + KEPT)
        with pytest.raises(Exception, match="used for another"):
            store.begin(key_id, "t", "another", now)
        store.purge(now + KEPT + timedelta(seconds=1))
        assert isinstance(store.begin(key_id, "t", "another", now), Ticket)
