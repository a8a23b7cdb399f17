"""Large bodies pass through a process that stays small."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.command import run
from tests.fakes.listening import Listener
from tests.fakes.process import Process, process
from tests.fakes.telegram import TOKEN, FakeTelegram

MEBIBYTE = 1024 * 1024
SIZE = 50 * MEBIBYTE
AT_ONCE = 8
MOST_GROWTH_KIB = 8 * 1024
BLOCK = b"x" * 65536


class Depot(Listener):
    """Plays Telegram for large bodies: swallows uploads and makes up downloads, keeping nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.swallowed: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            while first := stream.readline():
                length = 0
                while (line := stream.readline()) not in {b"\r\n", b""}:
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                got = 0
                while got < length:
                    block = stream.read(min(65536, length - got))
                    if not block:
                        return
                    got += len(block)
                self.swallowed.append(got)
                down = b"/file/" in first
                body = SIZE if down else 2
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % body)
                for _ in range(SIZE // len(BLOCK) if down else 0):
                    connection.sendall(BLOCK)
                if not down:
                    connection.sendall(b"{}")


@pytest.fixture
def depot() -> Iterator[Depot]:
    with Depot() as depot:
        yield depot


@pytest.fixture
def started(
    environ: dict[str, str], telegram: FakeTelegram, depot: Depot, tmp_path: Path
) -> Iterator[tuple[Process, str, str]]:
    """A serving process in front of the depot, a bot's path and a key."""
    assert TOKEN in telegram.bots
    words = ("user", "add", "ani@example.com", "--role", "owner", "--password-stdin")
    run(*words, environ=environ, stdin="a long enough password")
    bot = run("bot", "add", "--token-stdin", "--json", environ=environ, stdin=TOKEN)
    bot_id = bot.stdout.split('"id": "')[1][:26]
    key = run("key", "add", "Program", "--per-minute", "9999", environ=environ).stdout.split()[0]
    environ = {**environ, "TELEGRAM_API_BASE_URL": depot.url}
    with process(environ, tmp_path / "log") as serving:
        yield serving, f"/api/v1/bots/{bot_id}", key


def upload(started: tuple[Process, str, str]) -> int:
    serving, path, key = started
    with socket.create_connection(serving.served.address, timeout=60) as connection:
        head = f"POST {path}/sendDocument HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
        connection.sendall(f"{head}Content-Length: {SIZE}\r\nConnection: close\r\n\r\n".encode())
        for _ in range(SIZE // len(BLOCK)):
            connection.sendall(BLOCK)
        return int(connection.recv(65536).split()[1])


def download(started: tuple[Process, str, str]) -> int:
    serving, path, key = started
    with socket.create_connection(serving.served.address, timeout=60) as connection:
        head = f"GET {path}/file/videos/v.mp4 HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        total = 0
        while block := connection.recv(65536):
            total += len(block)
        return total


def grown(
    started: tuple[Process, str, str], work: Callable[[tuple[Process, str, str]], int]
) -> int:
    """Return by how many KiB the process's peak exceeds what it used before."""
    serving = started[0]
    before = serving.memory("VmRSS")
    serving.forget_peak()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(work, [started] * AT_ONCE))
    assert all(done)
    return serving.memory("VmHWM") - before


def test_eight_uploads_at_once_stay_on_disk(
    started: tuple[Process, str, str], depot: Depot
) -> None:
    assert upload(started) == 200
    growth = grown(started, upload)
    # TGM may ask for the bot's photo meanwhile.
    assert depot.swallowed.count(SIZE) == AT_ONCE + 1
    assert growth < MOST_GROWTH_KIB, f"the process grew by {growth} KiB"


def test_eight_downloads_at_once_stream(started: tuple[Process, str, str]) -> None:
    assert download(started) > SIZE
    growth = grown(started, download)
    assert growth < MOST_GROWTH_KIB, f"the process grew by {growth} KiB"
