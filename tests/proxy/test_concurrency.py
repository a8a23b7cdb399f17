"""Many callers at once, on the default settings."""

import threading

from tests.fakes.telegram import FakeTelegram, reply
from tests.proxy.conftest import Program
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
    for caller in callers:
        caller.join()
    assert statuses == [200] * 100
