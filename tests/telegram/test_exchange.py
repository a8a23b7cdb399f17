"""A request and its answer by a connection that never blocks."""

import select
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.ending import PATIENCE, join
from tgm.shared.waiting import Awaited
from tgm.telegram.answer import Answer
from tgm.telegram.errors import Failure, TelegramUnreachable
from tgm.telegram.exchange import Exchange
from tgm.telegram.upstream import Pool, Route

ANSWER = b"HTTP/1.1 413 Too Large\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno!"


class Loop:
    """Waits for one socket. See `tgm.shared.waiting.Waiter`."""

    def __init__(self) -> None:
        self.waits: dict[Awaited, int] = {}

    def wait_for(self, each: Awaited, *, to_write: bool = False) -> None:
        self.waits[each] = select.POLLIN | (select.POLLOUT if to_write else 0)

    def forget(self, each: Awaited) -> None:
        self.waits.pop(each, None)

    def in_thread(self, job: Callable[[], None]) -> None:
        raise AssertionError("nothing here needs a thread")

    def turn(self) -> None:
        for each, flags in list(self.waits.items()):
            poll = select.poll()
            poll.register(each.descriptor, flags)
            assert poll.poll(PATIENCE * 1000), "nothing happens"
            each.ready()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(PATIENCE)
        yield made


@pytest.fixture
def pool(server: socket.socket) -> Iterator[Pool]:
    made = Pool(Route(f"http://127.0.0.1:{server.getsockname()[1]}"))
    yield made
    made.close()


@pytest.fixture
def ends(pool: Pool, server: socket.socket) -> Iterator[tuple[socket.socket, Pool]]:
    """The other end of a connection that is idle in the pool."""
    connection = pool.take()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    other, _ = server.accept()
    other.settimeout(PATIENCE)
    pool.give_back(connection)
    with other:
        yield other, pool


def begin(pool: Pool, request: bytes) -> tuple[Loop, list[Answer | TelegramUnreachable]]:
    connection = pool.take_idle()
    assert connection is not None
    loop, outcomes = Loop(), list[Answer | TelegramUnreachable]()
    Exchange(connection, pool, loop, 64 * 1024, outcomes.append).begin(request)
    return loop, outcomes


def until_answered(loop: Loop, outcomes: list[Answer | TelegramUnreachable]) -> bytes:
    while not outcomes:
        loop.turn()
    assert loop.waits == {}
    answer = outcomes[0]
    assert isinstance(answer, Answer)
    return answer.read_up_to(100)


def test_a_connection_is_free_again_once_the_answer_is_read(
    ends: tuple[socket.socket, Pool],
) -> None:
    other, pool = ends
    loop, outcomes = begin(pool, b"request")
    assert other.recv(100) == b"request"
    other.sendall(ANSWER)
    assert until_answered(loop, outcomes) == b"no!"
    connection = pool.take_idle()
    assert connection is not None
    connection.close()


def test_a_request_that_has_not_gone_takes_its_connection_along(
    ends: tuple[socket.socket, Pool],
) -> None:
    other, pool = ends
    loop, outcomes = begin(pool, b"x" * 10_000_000)
    other.sendall(ANSWER)
    assert until_answered(loop, outcomes) == b"no!"
    assert pool.take_idle() is None


def test_a_request_that_does_not_fit_goes_in_parts(ends: tuple[socket.socket, Pool]) -> None:
    other, pool = ends

    def read_and_answer() -> None:
        left = 1_000_000
        while left:
            left -= len(other.recv(left))
        other.sendall(ANSWER)

    loop, outcomes = begin(pool, b"x" * 1_000_000)
    reader = threading.Thread(target=read_and_answer)
    reader.start()
    assert until_answered(loop, outcomes) == b"no!"
    join(reader)
    connection = pool.take_idle()
    assert connection is not None
    connection.close()


def test_an_end_before_the_answer_is_none(ends: tuple[socket.socket, Pool]) -> None:
    other, pool = ends
    loop, outcomes = begin(pool, b"request")
    other.close()
    while not outcomes:
        loop.turn()
    failed = outcomes[0]
    assert isinstance(failed, TelegramUnreachable)
    assert failed.failure is Failure.BROKEN
    assert pool.take_idle() is None
