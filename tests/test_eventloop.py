"""Connections under our own loop and threads, with a small application behind them."""

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from waitress.server import TcpWSGIServer, create_server

from tests.live.listening import wait_until
from tgm.connections import Channel
from tgm.dispatcher import Dispatcher
from tgm.eventloop import EventLoop
from tgm.front import Front

SECONDS = 20
LARGE = b"x" * 8_000_000


class Application:
    """Answers with the path; holds `/held` until it is let go."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/held":
            self.has_begun.set()
            assert self.may_end.wait(SECONDS)
        body = {"/large": LARGE, "/empty": b""}.get(path, path.encode())
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[TcpWSGIServer]:
    threads = Dispatcher(4)
    made = create_server(
        application,
        _start=False,
        _dispatcher=threads,
        listen="127.0.0.1:0",
        connection_limit=12,
        channel_timeout=1,
        cleanup_interval=1,
    )
    made.asyncore = EventLoop(made, threads)
    made.front = Front(application, ())
    made.channel_class = Channel
    made.accept_connections()
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    application.may_end.set()
    with suppress(OSError):
        made.trigger.pull_trigger(lambda: made.asyncore.close_all(made._map))
    thread.join(SECONDS)
    made.task_dispatcher.shutdown()
    assert not thread.is_alive()


def connect(server: TcpWSGIServer) -> socket.socket:
    address = (server.effective_host, int(server.effective_port))
    return socket.create_connection(address, timeout=SECONDS)


def ask(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        block = connection.recv(65536)
        assert block, got[-200:]
        got += block
    return got


def test_requests_that_come_at_once_are_answered_in_their_order(server: TcpWSGIServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"".join(ask(f"/{number}") for number in range(20)))
        got = read_until(connection, b"/19")
    places = [got.index(f"\r\n\r\n/{number}".encode()) for number in range(20)]
    assert places == sorted(places)


def test_who_asks_whether_to_send_nothing_is_answered(server: TcpWSGIServer) -> None:
    with connect(server) as connection:
        connection.sendall(
            b"POST /one HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"
        )
        assert read_until(connection, b"/one").startswith(b"HTTP/1.1 200")


def test_what_comes_during_an_answer_waits_for_it(
    server: TcpWSGIServer, application: Application
) -> None:
    with connect(server) as connection, connect(server) as other:
        connection.sendall(ask("/held"))
        assert application.has_begun.wait(SECONDS)
        connection.sendall(ask("/next"))
        other.sendall(ask("/beside"))
        read_until(other, b"/beside")
        application.may_end.set()
        read_until(connection, b"/next")


def test_who_leaves_during_an_answer_is_forgotten_after_it(
    server: TcpWSGIServer, application: Application
) -> None:
    with connect(server) as connection:
        connection.sendall(ask("/held"))
        assert application.has_begun.wait(SECONDS)
    with connect(server) as other:
        other.sendall(ask("/beside"))
        read_until(other, b"/beside")
        application.may_end.set()
        wait_until(lambda: len(server.active_channels) == 1, "only the other one is left")


def test_a_slow_reader_gets_all_of_a_large_answer(server: TcpWSGIServer) -> None:
    with connect(server) as connection, connect(server) as other:
        connection.sendall(ask("/large"))
        other.sendall(ask("/beside"))
        read_until(other, b"/beside")
        assert len(read_until(connection, LARGE)) > len(LARGE)
        connection.sendall(ask("/after"))
        read_until(connection, b"/after")


def test_an_idle_connection_is_closed(server: TcpWSGIServer) -> None:
    with connect(server) as connection:
        connection.sendall(ask("/one"))
        read_until(connection, b"/one")
        assert connection.recv(1) == b""


def test_beyond_the_limit_connections_wait_until_there_is_room(server: TcpWSGIServer) -> None:
    # The listening socket and the trigger count, too.
    first = [connect(server) for _ in range(10)]
    for connection in first:
        connection.sendall(ask("/in"))
        read_until(connection, b"/in")
    with connect(server) as waiting:
        waiting.sendall(ask("/late"))
        for connection in first:
            connection.close()
        read_until(waiting, b"/late")


def test_an_urgent_byte_keeps_nobody_busy(server: TcpWSGIServer) -> None:
    with connect(server) as urgent, connect(server) as other:
        urgent.send(b"!", socket.MSG_OOB)
        other.sendall(ask("/one"))
        read_until(other, b"/one")
        turns = server.asyncore.turns
        urgent.settimeout(0.5)
        with pytest.raises(TimeoutError):
            urgent.recv(1)
        # The round of each second, and whatever is left of the answer.
        assert server.asyncore.turns - turns < 20


def test_who_breaks_off_in_the_middle_of_two_requests_ends_only_its_own_connection(
    server: TcpWSGIServer,
) -> None:
    head = ask("/one") + (
        b"POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )
    for _ in range(2000):
        with connect(server) as connection:
            connection.sendall(head)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with connect(server) as other:
        other.sendall(ask("/still-there"))
        read_until(other, b"/still-there")


def test_an_answer_leaves_in_one_piece(server: TcpWSGIServer) -> None:
    pieces: list[bytes] = []

    class Noting(Channel):
        def send(self, data: bytes, do_close: bool = True) -> int:
            pieces.append(bytes(data))
            sent: int = super().send(data, do_close)
            return sent

    server.channel_class = Noting
    with connect(server) as connection:
        connection.sendall(ask("/one"))
        read_until(connection, b"/one")
        connection.sendall(ask("/empty"))
        read_until(connection, b"\r\n\r\n")
    assert [piece.startswith(b"HTTP/1.1 200 OK") for piece in pieces] == [True, True]


class Refused(Dispatcher):
    """Threads on a system that allows two."""

    def start_new_thread(self, target: Callable[..., None], thread_no: int) -> None:
        if thread_no >= 2:
            raise RuntimeError("can't start new thread")
        super().start_new_thread(target, thread_no)


class Noted:
    """A task that says it has been answered."""

    def __init__(self) -> None:
        self.is_answered = threading.Event()

    def service(self) -> None:
        self.is_answered.set()


def test_where_the_system_allows_fewer_threads_those_answer_everything() -> None:
    dispatcher, tasks = Refused(8), [Noted() for _ in range(20)]
    for task in tasks:
        dispatcher.add_task(task)
    assert all(task.is_answered.wait(SECONDS) for task in tasks)
    dispatcher.shutdown()
    assert not dispatcher.threads


def test_a_number_that_is_used_again_is_waited_for_again(server: TcpWSGIServer) -> None:
    for number in range(200):
        with connect(server) as connection:
            connection.sendall(ask(f"/{number}"))
            read_until(connection, f"/{number}".encode())


def test_what_nobody_has_begun_is_dropped_at_the_end(
    server: TcpWSGIServer, application: Application
) -> None:
    held = [connect(server) for _ in range(8)]
    for connection in held:
        connection.sendall(ask("/held"))
    wait_until(lambda: server.task_dispatcher.tasks.qsize() == 4, "four threads, four wait")
    application.may_end.set()
    assert isinstance(server.task_dispatcher.shutdown(), bool)
    assert not server.task_dispatcher.threads
    for connection in held:
        connection.close()
