"""A crowd counts what became of each call."""

from collections.abc import Iterator

import pytest

from bench.crowd import ANSWERED, OTHER_STATUS, REFUSED, crowd
from bench.processes import free_port
from tests.fakes.telegram import FakeTelegram, refusal, reply


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as fake:
        yield fake


def test_every_answer_is_counted(telegram: FakeTelegram) -> None:
    telegram.always("sendMessage", reply({"ok": True}))
    found = crowd(f"{telegram.url}/bot1:A/sendMessage", 5, {}, "{}")
    assert found == {ANSWERED: 10}
    assert len(telegram.calls("sendMessage")) == 10


def test_so_is_one_that_is_not_200(telegram: FakeTelegram) -> None:
    telegram.always("sendMessage", refusal(503, "Overloaded"))
    assert crowd(f"{telegram.url}/bot1:A/sendMessage", 2, {}, "{}") == {OTHER_STATUS: 4}


def test_and_who_cannot_connect() -> None:
    assert crowd(f"http://127.0.0.1:{free_port()}/", 3, {}, "{}") == {REFUSED: 6}
