"""Connections to Telegram that are kept for the next call."""

from collections.abc import Iterator

import pytest

from tests.fakes.telegram import FakeTelegram
from tgm.telegram.connection import IDLE_SECONDS
from tgm.telegram.upstream import Pool, Route


@pytest.fixture
def pool(telegram: FakeTelegram) -> Iterator[Pool]:
    made = Pool(Route(telegram.url))
    yield made
    made.close()


def test_the_one_used_last_comes_first(pool: Pool) -> None:
    first, second = pool.take(), pool.take()
    pool.give_back(first)
    pool.give_back(second)
    assert pool.take_idle() is second
    assert pool.take_idle() is first
    assert pool.take_idle() is None
    first.close()
    second.close()


def test_those_that_nobody_needs_are_closed(pool: Pool) -> None:
    unused, used = pool.take(), pool.take()
    pool.give_back(unused)
    pool.give_back(used)
    unused.idle_since -= IDLE_SECONDS + 1
    pool.tidy()
    assert unused.socket.fileno() == -1
    assert pool.take_idle() is used
    used.close()


def test_a_thread_waits_and_the_loop_does_not(pool: Pool) -> None:
    connection = pool.take()
    assert connection.socket.gettimeout() == pool.timeout
    pool.give_back(connection)
    assert pool.take_idle() is connection
    assert connection.socket.gettimeout() == 0
    pool.give_back(connection)
    assert pool.take() is connection
    assert connection.socket.gettimeout() == pool.timeout
    connection.close()
