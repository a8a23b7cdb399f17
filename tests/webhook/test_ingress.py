"""What Telegram posts is answered 200 when it is on disk, and never otherwise."""

import json
import re
import socket
import struct
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from select import select as select_sockets
from typing import Any
from unittest.mock import ANY

import pytest
from flask import Flask
from sqlalchemy import event, select
from werkzeug.test import EnvironBuilder

from tests.fakes.serving import Got, Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.making import make_team
from tests.webhook.rows import an_update
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.live.channel import HOLD
from tgm.webhook import receiving
from tgm.webhook.models import StoredUpdate

MEBIBYTE = 1024 * 1024
SECRET = "X-Telegram-Bot-Api-Secret-Token"

pytestmark = [
    pytest.mark.given(WEBHOOK_BASE_URL="https://tgm.example.com"),
    pytest.mark.usefixtures("each_way"),
]


@pytest.fixture
def bot(app: Flask) -> Bot:
    return bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)


@dataclass
class Sender:
    """Telegram, posting to the address it was given."""

    served: Served
    path: str
    secret: str

    def post(self, body: bytes, *, path: str | None = None, secret: str | None = None) -> Got:
        """Post an update."""
        headers = {SECRET: self.secret if secret is None else secret}
        return self.served.call("POST", path or self.path, body, headers)


@pytest.fixture
def sender(bot: Bot, telegram: FakeTelegram, served: Served) -> Sender:
    return registered(bot, telegram, served)


def registered(bot: Bot, telegram: FakeTelegram, served: Served) -> Sender:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)
    asked = json.loads(telegram.calls("setWebhook")[-1].body)
    path = asked["url"].removeprefix("https://tgm.example.com")
    # In memory, as after the first update: otherwise a thread would take this one.
    assert runtime.relay.receptions.of_bot(str(bot.id)) is not None
    return Sender(served, path, asked["secret_token"])


def stored() -> list[bytes]:
    db.session.rollback()
    return list(db.session.scalars(select(StoredUpdate.raw).order_by(StoredUpdate.seq)))


def test_a_good_update_is_on_disk_when_it_is_answered(sender: Sender) -> None:
    raw = an_update(1)
    got = sender.post(raw)
    assert (got.status, got.json) == (200, {"ok": True})
    assert stored() == [raw]


def test_a_repetition_is_answered_200_and_kept_once(sender: Sender) -> None:
    assert [sender.post(an_update(1, text)).status for text in ("one", "two")] == [200, 200]
    assert stored() == [an_update(1, "one")]


def test_an_unknown_path_is_404(sender: Sender) -> None:
    for path in ("x" * 43, "x", sender.path.rpartition("/")[2] + "/more", "%ff"):
        got = sender.post(an_update(1), path=f"/api/v1/tg-webhook/{path}")
        assert (got.status, got.json) == (
            404,
            {"ok": False, "error_code": 404, "description": "Not Found"},
        )
    assert stored() == []


def test_a_wrong_secret_is_401(sender: Sender) -> None:
    for secret in ("", "wrong", sender.secret[:-1], "é"):
        got = sender.post(an_update(1), secret=secret)
        assert got.status == 401
        assert got.json["error_code"] == 401
    assert sender.served.call("POST", sender.path, an_update(1)).status == 401
    assert stored() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"update_id": "1"}', b"\xff"])
def test_what_is_no_update_is_400(sender: Sender, body: bytes) -> None:
    got = sender.post(body)
    assert got.status == 400
    assert got.json == {"ok": False, "error_code": 400, "description": ANY}
    assert stored() == []


def test_more_than_a_mebibyte_is_413(sender: Sender) -> None:
    frame = len(an_update(1, ""))
    assert sender.post(an_update(1, "x" * (MEBIBYTE - frame + 1))).status == 413
    assert stored() == []
    assert sender.post(an_update(1, "x" * (MEBIBYTE - frame))).status == 200


def test_a_strangers_body_is_not_even_read(sender: Sender) -> None:
    got = sender.post(b"{" * (MEBIBYTE + 1), secret="wrong")
    assert got.status == 401
    assert sender.post(b"x" * (MEBIBYTE + 1), path="/api/v1/tg-webhook/other").status == 404


def test_only_a_post_is_taken(sender: Sender) -> None:
    assert sender.served.call("GET", sender.path, headers={SECRET: sender.secret}).status == 405


def test_what_cannot_be_stored_is_500_and_taken_later(sender: Sender) -> None:
    failing = True

    def fail(*_: object) -> None:
        if failing:
            raise OSError("disk full")

    event.listen(db.engines[WRITER], "begin", fail)
    assert sender.post(an_update(1)).status == 500
    assert stored() == []
    failing = False
    assert sender.post(an_update(1)).status == 200
    assert stored() == [an_update(1)]


def test_an_old_address_is_forgotten_at_once(
    sender: Sender, bot: Bot, telegram: FakeTelegram
) -> None:
    fresh = registered(bot, telegram, sender.served)
    assert sender.post(an_update(1)).status == 404
    assert fresh.post(an_update(1), secret=sender.secret).status == 401
    assert fresh.post(an_update(1)).status == 200
    receiving.hand_back(bot.team_id, bot.id, COMMAND_LINE)
    assert fresh.post(an_update(2)).status == 404
    assert stored() == [an_update(1)]


def test_a_disabled_bot_goes_on_receiving(sender: Sender, bot: Bot) -> None:
    bots.disable(bot.team_id, bot.id, COMMAND_LINE)
    receiving.pause(bot.team_id, bot.id, COMMAND_LINE)
    assert sender.post(an_update(1)).status == 200
    assert stored() == [an_update(1)]


def test_taking_an_update_in_costs_no_query(sender: Sender, app: Flask) -> None:
    sender.post(an_update(1))
    # The snapshot looks for changes every half second; this must not be the moment.
    runtime.snapshot.drop()
    runtime.snapshot.current()
    seen: list[str] = []
    event.listen(
        db.engine, "before_cursor_execute", lambda _c, _k, statement, *_: seen.append(statement)
    )
    began = time.monotonic()
    assert sender.post(an_update(2)).status == 200
    assert seen == [] or time.monotonic() - began > 0.4


def test_the_path_token_stays_out_of_the_log(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    sender.post(b"{")
    sender.post(an_update(1), secret="wrong")
    assert sender.path.rpartition("/")[2] not in caplog.text
    assert sender.secret not in caplog.text


class Held:
    """The database's writer, in somebody else's hands until the end of the block."""

    def __enter__(self) -> None:
        self._transaction = db.engines[WRITER].begin()
        self._transaction.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._transaction.__exit__(*error)


def request_of(sender: Sender, raw: bytes) -> bytes:
    head = f"POST {sender.path} HTTP/1.1\r\nHost: tgm\r\n{SECRET}: {sender.secret}\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(raw), raw)


def answered(connection: socket.socket) -> bytes:
    """Read one answer of the kind that is given here: its body ends with a brace."""
    got = b""
    while b"}" not in got:
        got += connection.recv(4096) or pytest.fail(f"closed after {got!r}")
    return got


@pytest.mark.given(THREADS="4", WEBHOOK_BASE_URL="https://tgm.example.com")
def test_no_thread_waits_for_the_commit(sender: Sender) -> None:
    with ExitStack() as stack:
        callers = [
            stack.enter_context(socket.create_connection(sender.served.address, timeout=30))
            for _ in range(12)
        ]
        with Held():
            for number, caller in enumerate(callers):
                caller.sendall(request_of(sender, an_update(number)))
            # More wait than there are threads: this one would be answered after them.
            assert sender.post(b"{").status == 400
            assert stored() == []
            ready, _, _ = select_sockets(callers, [], [], 0)
            assert ready == [], "nobody is told before it is on disk"
        assert {answered(caller)[:15] for caller in callers} == {b"HTTP/1.1 200 OK"}
        assert sorted(stored()) == sorted(an_update(number) for number in range(12))
        # The connections go on.
        callers[0].sendall(request_of(sender, an_update(12)))
        assert answered(callers[0]).startswith(b"HTTP/1.1 200 OK")


def test_a_caller_who_has_gone_costs_nobody_anything(sender: Sender) -> None:
    with Held():
        for number in range(4):
            with socket.create_connection(sender.served.address, timeout=30) as caller:
                caller.sendall(request_of(sender, an_update(number)))
                if number % 2:
                    # So it is broken off instead of ended.
                    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert sender.post(an_update(9)).status == 200
    assert an_update(9) in stored()


def test_updates_sent_in_a_row_are_answered_in_their_order(sender: Sender) -> None:
    with socket.create_connection(sender.served.address, timeout=30) as caller:
        caller.sendall(
            b"".join(request_of(sender, an_update(number)) for number in (3, 1, 2))
            + request_of(sender, b"{")
        )
        got = b""
        while got.count(b"HTTP/1.1") < 4 or not got.endswith(b"}"):
            got += caller.recv(4096) or pytest.fail(f"closed after {got!r}")
    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200", b"200", b"200", b"400"]
    assert stored() == [an_update(number) for number in (3, 1, 2)]


def test_another_server_gets_the_answer_when_it_is_on_disk(sender: Sender, app: Flask) -> None:
    client = app.test_client()
    got = client.post(sender.path, data=an_update(1), headers={SECRET: sender.secret})
    assert (got.status_code, got.json) == (200, {"ok": True})
    assert stored() == [an_update(1)]


class FarBehind:
    """A connection whose reader has left its answers unread."""

    unsent = 1024 * 1024

    def __init__(self) -> None:
        self.dropped = threading.Event()

    def drop(self) -> None:
        self.dropped.set()


def test_a_caller_that_does_not_read_is_not_waited_for(sender: Sender, app: Flask) -> None:
    raw, line, held = an_update(1), FarBehind(), []
    environ = {
        **EnvironBuilder(path=sender.path, method="POST", data=raw).get_environ(),
        "HTTP_X_TELEGRAM_BOT_API_SECRET_TOKEN": sender.secret,
        HOLD: lambda each, *, whole: held.append((each, whole)),
    }
    assert list(runtime.relay.intake.handle(environ).body) == []
    [(awaited, is_whole)] = held
    assert is_whole
    awaited.attach(line)
    assert line.dropped.wait(10)
    assert stored() == [raw]
