"""Several processes behind one address, run as a person runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.ending import first_line
from tests.fakes import command
from tests.fakes.process import Process, process, run
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tgm.settings import PROJECT

SECONDS = 30


def until(holds: Callable[[], Any]) -> Any:
    """Return what `holds` returns as soon as that is something."""
    end = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return found


def children(parent: int) -> list[int]:
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in path.read_text().split()]


def serving(parent: int, count: int) -> list[int]:
    """Wait until so many processes serve, and return their ids."""

    def all_are_there() -> list[int]:
        found = children(parent)
        return found if len(found) == count and all(map(waits, found)) else []

    return list(until(all_are_there))


def waits(pid: int) -> bool:
    """Tell whether a process has begun to serve: it waits for connections."""
    with suppress(OSError):
        links = list(Path(f"/proc/{pid}/fd").iterdir())
        return any("eventpoll" in str(link.readlink()) for link in links)
    return False


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def is_gone(pid: int, parent: int) -> bool:
    return pid not in children(parent)


@pytest.fixture
def key(environ: dict[str, str]) -> str:
    """The secret of a key that may use the bot."""
    command.run(
        "user", "add", "a@example.com", "--role", "owner", "--password-stdin",
        environ=environ, stdin="a long enough password",
    )  # fmt: skip
    command.run("bot", "add", "--token-stdin", environ=environ, stdin=TOKEN)
    made = command.run("key", "add", "Program", "--json", environ=environ)
    return str(json.loads(made.stdout)["key"])


@pytest.fixture
def bot_id(key: str, environ: dict[str, str]) -> str:
    listed = command.run("bot", "list", "--json", environ=environ)
    return str(json.loads(listed.stdout)["bots"][0]["id"])


@contextmanager
def two(environ: dict[str, str], log: Path) -> Iterator[tuple[Process, list[int]]]:
    with process(environ, log, "--processes", "2") as started:
        yield started, serving(started.popen.pid, 2)


def call(started: Process, bot_id: str, key: str, method: str = "getMe") -> Got:
    return started.served.call("GET", f"/api/v1/bots/{bot_id}/{method}", None, {"X-API-Key": key})


def test_they_announce_one_address_once(environ: dict[str, str], tmp_path: Path) -> None:
    with process(environ, tmp_path / "log", "--json", "--processes", "2") as started:
        serving(started.popen.pid, 2)
        said = json.loads(started.output)
        link = said["setup"].removeprefix(said["address"])
        served = Served(said["address"])
        assert {served.call("GET", link).status for _ in range(20)} == {200}
        assert started.end() == 0
        # Its end, which all who share it have to reach.
        assert started.popen.communicate(timeout=SECONDS)[0] == b""
    assert (tmp_path / "log").read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_they_all_end(
    environ: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    with two(environ, tmp_path / "log") as (started, pids):
        assert started.end(number) == 0
        assert not any(map(is_alive, pids))
    assert (tmp_path / "log").read_text() == ""


def test_they_end_with_the_one_that_looks_after_them(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with two(environ, tmp_path / "log") as (started, pids):
        started.end(signal.SIGKILL)
        until(lambda: not any(map(is_alive, pids)))


def test_both_answer_calls_and_each_is_logged(
    environ: dict[str, str], tmp_path: Path, key: str, bot_id: str, telegram: FakeTelegram
) -> None:
    with two(environ, tmp_path / "log") as (started, _):
        assert {call(started, bot_id, key).status for _ in range(20)} == {200}
        started.end()
    listed = command.run("key", "list", "--json", environ=environ).stdout
    assert '"last_used_at": null' not in listed


def test_one_that_is_killed_is_started_again(
    environ: dict[str, str], tmp_path: Path, key: str, bot_id: str
) -> None:
    with two(environ, tmp_path / "log") as (started, pids):
        for victim in pids:
            os.kill(victim, signal.SIGKILL)
            until(partial(is_gone, victim, started.popen.pid))
            serving(started.popen.pid, 2)
        assert not set(pids) & set(children(started.popen.pid))
        assert call(started, bot_id, key).status == 200
        assert started.end() == 0
    log = (tmp_path / "log").read_text()
    assert log.count("has ended by SIGKILL; another one starts") == 2


@pytest.mark.given(RATE_LIMIT_PER_MINUTE="60")
def test_they_let_through_together_what_one_would(
    environ: dict[str, str], tmp_path: Path, key: str, bot_id: str
) -> None:
    with two(environ, tmp_path / "log") as (started, _):
        statuses = [call(started, bot_id, key).status for _ in range(90)]
    assert statuses == [200] * 60 + [429] * 30


@pytest.mark.parametrize("count", ["0", "65", "many"])
def test_a_number_that_cannot_be_is_refused_by_name(environ: dict[str, str], count: str) -> None:
    ended = run("serve", "--processes", count, environ=environ)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: PROCESSES: '{count}' is not a whole number from 1 to")


def test_a_taken_port_is_said_plainly(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("serve", "--processes", "2", environ={**environ, "PORT": port})
    assert ended.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in ended.stderr


def test_a_start_that_fails_is_not_tried_again(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "encryption_keys").write_text("no key")
    ended = run("serve", "--processes", "2", environ=environ)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ENCRYPTION_KEYS")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core")
def test_each_keeps_to_a_core_of_its_own(environ: dict[str, str], tmp_path: Path) -> None:
    with two(environ, tmp_path / "log") as (_, pids):
        cores = [os.sched_getaffinity(pid) for pid in pids]
    assert [len(each) for each in cores] == [1, 1]
    assert len(set.union(*cores)) == 2


@pytest.mark.given(PIN_TO_CORE="off")
def test_they_may_run_anywhere_where_that_is_wanted(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with two(environ, tmp_path / "log") as (_, pids):
        assert [os.sched_getaffinity(pid) for pid in pids] == [os.sched_getaffinity(0)] * 2


PINNING = """
import os, sys
from pathlib import Path
from tgm import box
kept = box.pin(Path(sys.argv[1]))
print(sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.readline()
"""


def test_where_no_core_is_left_a_process_may_run_on_any(tmp_path: Path) -> None:
    count = len(os.sched_getaffinity(0))
    started, seen = [], []
    for _ in range(count + 1):
        one = subprocess.Popen(
            [sys.executable, "-c", PINNING, str(tmp_path / "cores")],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(one)
        seen.append(json.loads(first_line(one)))
    for one in started:
        one.communicate("\n", timeout=SECONDS)
    assert sorted(core for each in seen[:-1] for core in each) == sorted(os.sched_getaffinity(0))
    assert len(seen[-1]) == count
