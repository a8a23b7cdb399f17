"""A crowd counts what became of each call."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench import crowd as crowds
from bench.crowd import ANSWERED, OTHER_STATUS, REFUSED
from bench.processes import free_port
from tests.fakes.telegram import FakeTelegram, refusal, reply


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as fake:
        yield fake


def crowd(url: str, callers: int) -> Counter[str]:
    # In a thread: in this one the browser of other tests may have a loop that is running.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(crowds.crowd, url, callers, {}, "{}").result()


def test_every_answer_is_counted(telegram: FakeTelegram) -> None:
    telegram.always("sendMessage", reply({"ok": True}))
    found = crowd(f"{telegram.url}/bot1:A/sendMessage", 5)
    assert found == {ANSWERED: 10}
    assert len(telegram.calls("sendMessage")) == 10


def test_so_is_one_that_is_not_200(telegram: FakeTelegram) -> None:
    telegram.always("sendMessage", refusal(503, "Overloaded"))
    assert crowd(f"{telegram.url}/bot1:A/sendMessage", 2) == {OTHER_STATUS: 4}


def test_and_who_cannot_connect() -> None:
    assert crowd(f"http://127.0.0.1:{free_port()}/", 3) == {REFUSED: 6}
