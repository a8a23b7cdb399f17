"""Many callers at once, on the default settings."""

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack

from flask import Flask

from tests.ending import join
from tests.fakes.serving import serving
from tests.fakes.telegram import FakeTelegram, reply
from tests.proxy.conftest import Program
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.settings import Settings


def test_a_hundred_calls_are_under_way_at_once(
    program: Program, telegram: FakeTelegram, settings: Settings
) -> None:
    """Each waits at Telegram until all hundred have arrived there."""
    assert settings.threads > 100
    gate = threading.Event()
    telegram.always("sendMessage", reply({"ok": True, "result": True}, gate=gate))
    statuses: list[int] = []

    def call() -> None:
        statuses.append(program.call("sendMessage").status)

    callers = [threading.Thread(target=call) for _ in range(100)]
    for caller in callers:
        caller.start()
    telegram.wait_for(100, timeout=30)
    gate.set()
    join(*callers)
    assert statuses == [200] * 100


def test_callers_who_read_nothing_do_not_hold_the_threads_for_ever(
    app: Flask, bot: Bot, make_key: Callable[..., str], telegram: FakeTelegram
) -> None:
    """waitress waits without end for room in a caller's buffers, and a thread waits with it."""
    telegram.always("getUpdates", reply(b"x" * 8_000_000))
    head = f"GET /api/v1/bots/{bot.id}/getUpdates HTTP/1.1\r\nHost: x\r\n"
    request = f"{head}X-API-Key: {make_key(per_minute=9999)}\r\n\r\n".encode()
    with serving(app, unread_seconds=0.2) as served, ExitStack() as held:
        for _ in range(runtime.settings.threads + 8):
            deaf = held.enter_context(socket.create_connection(served.address, timeout=30))
            deaf.sendall(request)
        assert served.call("GET", "/auth/sign-in").status == 200
