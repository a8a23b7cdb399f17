"""Calls that are answered in the thread which waits for connections."""

import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.ending import PATIENCE
from tests.fakes import command
from tests.fakes.process import process
from tests.fakes.telegram import TOKEN, FakeTelegram, chunked, reply
from tests.proxy.conftest import Program
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.front import Front
from tgm.telegram.client import TelegramClient

TEXT = b'{"chat_id": 1, "text": "Halo"}'


def connect_ahead(client: TelegramClient, count: int) -> None:
    """Have so many connections to Telegram open: for want of one, a thread makes the call."""
    pool = client.pools.at(None)
    taken = [pool.take() for _ in range(count)]
    for connection in taken:
        pool.give_back(connection)


@pytest.fixture
def decided(app: Flask) -> list[bool]:
    """For each plain call, whether it was answered at once."""
    seen: list[bool] = []
    front: Front = app.extensions["tgm.front"]
    snapshot = runtime.snapshot

    def noting(at_once: Callable[..., Any]) -> Callable[..., Any]:
        def noted(environ: dict[str, Any]) -> Any:
            snapshot.current()
            answer_to = at_once(environ)
            seen.append(answer_to is not None)
            return answer_to

        return noted

    front.routes = [replace(each, at_once=noting(each.at_once)) for each in front.routes]
    return seen


def test_a_usual_call_is(program: Program, decided: list[bool]) -> None:
    assert program.call("sendMessage", TEXT).status == 200
    assert decided == [True]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("sendMessage", {"Idempotency-Key": "one"}),
        ("sendMessage", {"Prefer": "respond-async"}),
        ("getUpdates", {}),
        ("answerCallbackQuery", {}),
        ("file/photos/one", {}),
        ("jobs/01M0000000000000000000000", {}),
        ("sendMessage", {"X-API-Key": "tgm_live_" + "x" * 32}),
        ("no.method", {}),
    ],
)
def test_what_may_wait_for_something_else_is_not(
    program: Program, decided: list[bool], method: str, headers: dict[str, str]
) -> None:
    program.call(method, TEXT, headers=headers)
    assert decided == [False]


def test_a_bot_that_keeps_its_pace_is_not(program: Program, bot: Bot, decided: list[bool]) -> None:
    bots.keep_pace(bot.team_id, bot.id, True, COMMAND_LINE)
    assert program.call("sendMessage", TEXT).status == 200
    assert decided == [False]


@pytest.mark.given(THREADS="4")
def test_calls_that_wait_for_telegram_hold_no_thread(
    program: Program, telegram: FakeTelegram
) -> None:
    assert program.call("getMe").status == 200
    connect_ahead(runtime.telegram, 20)
    gate = threading.Event()
    telegram.always("sendMessage", reply({"ok": True, "result": {}}, gate=gate))
    with ThreadPoolExecutor(20) as callers:
        answers = [callers.submit(program.call, "sendMessage", TEXT) for _ in range(20)]
        telegram.wait_for(21)
        assert program.served.call("GET", "/auth/sign-in").status == 200
        gate.set()
        assert [each.result(PATIENCE).status for each in answers] == [200] * 20
    assert [each.body for each in telegram.calls("sendMessage")] == [TEXT] * 20


def test_a_reader_who_takes_his_time_holds_up_nobody(
    program: Program, telegram: FakeTelegram
) -> None:
    assert program.call("getMe").status == 200
    telegram.replies(reply(b"x" * 20_000_000))
    with socket.create_connection(program.served.address, timeout=PATIENCE) as slow:
        head = f"POST /api/v1/bots/{program.bot_id}/getMe HTTP/1.1\r\nHost: x\r\n"
        slow.sendall(f"{head}X-API-Key: {program.key}\r\n\r\n".encode())
        assert slow.recv(10)
        assert program.call("getMe").status == 200


@pytest.mark.parametrize("way", ["one packet", "byte by byte"])
def test_requests_on_one_connection_are_answered_in_their_order(
    program: Program, telegram: FakeTelegram, way: str
) -> None:
    assert program.call("getMe").status == 200
    asked = b"".join(
        b"POST /api/v1/bots/%b/sendMessage HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b"
        % (program.bot_id.encode(), program.key.encode(), len(text), end, text)
        for text, end in [(b"1", b""), (b"22", b""), (b"333", b"Connection: close\r\n")]
    )
    for text in (b"1", b"22", b"333"):
        telegram.replies(reply(b"got " + text))
    with socket.create_connection(program.served.address, timeout=PATIENCE) as connection:
        for part in [asked] if way == "one packet" else [bytes([each]) for each in asked]:
            connection.sendall(part)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    places = [answer.index(b"got " + text) for text in (b"1", b"22", b"333")]
    assert places == sorted(places)
    assert [each.body for each in telegram.calls("sendMessage")] == [b"1", b"22", b"333"]


def test_a_request_that_comes_during_a_long_answer_is_answered_after_it(
    program: Program, telegram: FakeTelegram
) -> None:
    assert program.call("getMe").status == 200
    telegram.replies(reply(b"x" * 5_000_000), reply(b"second"))
    head = b"GET /api/v1/bots/%b/getMe HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\n" % (
        program.bot_id.encode(),
        program.key.encode(),
    )
    with socket.socket() as connection:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(program.served.address)
        connection.sendall(head + b"\r\n")
        answer = connection.recv(10)
        connection.sendall(head + b"Connection: close\r\n\r\n")
        while block := connection.recv(65536):
            answer += block
    assert answer.endswith(b"second")
    assert answer.count(b"x" * 5_000_000) == 1


@pytest.mark.given(THREADS="4")
def test_readers_who_hold_all_threads_do_not_hold_up_plain_calls(
    program: Program, telegram: FakeTelegram, decided: list[bool]
) -> None:
    assert program.call("getMe").status == 200
    telegram.always("sendPhoto", reply(b"x" * 20_000_000))
    with ExitStack() as readers:
        for _ in range(4):
            slow = readers.enter_context(socket.create_connection(program.served.address))
            slow.settimeout(PATIENCE)
            head = f"POST /api/v1/bots/{program.bot_id}/sendPhoto HTTP/1.1\r\nHost: x\r\n"
            slow.sendall(f"{head}X-API-Key: {program.key}\r\n\r\n".encode())
            assert slow.recv(10)
        connect_ahead(runtime.telegram, 1)
        runtime.snapshot.drop()
        assert program.call("getMe").status == 200


def test_an_answer_with_an_empty_block_ends_once(
    program: Program, telegram: FakeTelegram, decided: list[bool]
) -> None:
    assert program.call("getMe").status == 200
    shown = TOKEN.replace(":", "%3A").encode()
    telegram.replies(chunked(b"x" * 100_000 + shown), reply(b"second"))
    head = b"GET /api/v1/bots/%b/getMe HTTP/1.1\r\nHost: x\r\nX-API-Key: %b\r\n" % (
        program.bot_id.encode(),
        program.key.encode(),
    )
    with socket.create_connection(program.served.address, timeout=PATIENCE) as connection:
        connection.sendall(head + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n0\r\n\r\n"):
            answer += connection.recv(65536)
        connection.sendall(head + b"Connection: close\r\n\r\n")
        answer = b""
        while block := connection.recv(65536):
            answer += block
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nsecond")


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_call_under_way_is_answered_before_the_end(
    environ: dict[str, str], tmp_path: Path, telegram: FakeTelegram, size: int
) -> None:
    command.run("user", "add", "a@example.com", "--role", "owner", "--password-stdin",
        environ=environ, stdin="a long enough password")  # fmt: skip
    added = command.run("bot", "add", "--token-stdin", "--json", environ=environ, stdin=TOKEN)
    bot_id = json.loads(added.stdout)["id"]
    key = command.run("key", "add", "Program", environ=environ).stdout.split()[0]
    target, headers = f"/api/v1/bots/{bot_id}/getMe", {"X-API-Key": key}
    gate = threading.Event()
    with (
        process(environ, tmp_path / "log") as started,
        ThreadPoolExecutor(1) as caller,
    ):
        assert started.served.call("GET", target, headers=headers).status == 200
        telegram.replies(reply(b"x" * size, gate=gate))
        telegram.requests.clear()
        answer = caller.submit(started.served.call, "GET", target, None, headers)
        telegram.wait_for(1)
        started.popen.terminate()
        gate.set()
        assert answer.result(PATIENCE).body == b"x" * size
        assert started.popen.wait(PATIENCE) == 0
