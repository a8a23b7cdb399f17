"""Counting against limits, in memory and in a file, and together with other processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from tests.ending import first_line
from tgm.settings import PROJECT
from tgm.shared.boxfile import BoxFile
from tgm.shared.counted import CountedStorage, Counts
from tgm.shared.notes import OwnNotes, SharedNotes
from tgm.shared.sqlite_limits import SqliteStorage, address_of

# Hits one key as often as it can, and says how often it was let through.
HITTING = """
import sys
from limits import RateLimitItemPerHour
from limits.strategies import FixedWindowRateLimiter
from tgm.shared.sqlite_limits import SqliteStorage
limiter = FixedWindowRateLimiter(SqliteStorage(sys.argv[1]))
item = RateLimitItemPerHour(60)
print("ready", flush=True)
sys.stdin.readline()
print(sum(limiter.hit(item, "key") for _ in range(100)), flush=True)
"""


SECONDS = 30


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Windows:
    """What a fixed window means: counts until it is over, and begins with the first count."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.kept: dict[str, tuple[int, float]] = {}

    def open(self, key: str) -> tuple[int, float]:
        count, until = self.kept.get(key, (0, 0.0))
        return (count, until) if until > self.clock.now else (0, self.clock.now)

    def incr(self, key: str, expiry: int, amount: int) -> int:
        count, until = self.open(key)
        self.kept[key] = (count + amount, until if count else self.clock.now + expiry)
        return count + amount


@dataclass(frozen=True)
class Step:
    """Something that happens: `seconds` is a window's length, or how long nothing does."""

    what: str
    key: str
    amount: int
    seconds: int


STEPS = st.builds(
    Step,
    st.sampled_from(["count", "count", "count", "clear", "wait", "reset"]),
    st.sampled_from(["a", "b", "c/d"]),
    st.integers(1, 5),
    st.integers(1, 90),
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def storages(tmp_path: Path, clock: Clock) -> list[CountedStorage | SqliteStorage]:
    return [
        CountedStorage(clock=clock),
        CountedStorage(counts=Counts(shared=True), clock=clock),
        SqliteStorage(address_of(tmp_path / "limits"), clock=clock),
    ]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=30))
@pytest.mark.parametrize("which", [0, 1, 2])
def test_they_count_in_fixed_windows(which: int, steps: list[Step], tmp_path: Path) -> None:
    clock = Clock()
    stored = storages(tmp_path, clock)[which]
    stored.reset()
    memory = Windows(clock)
    for step in steps:
        match step.what:
            case "count":
                counted = stored.incr(step.key, step.seconds, step.amount)
                assert counted == memory.incr(step.key, step.seconds, step.amount)
            case "clear":
                stored.clear(step.key)
                memory.kept.pop(step.key, None)
            case "wait":
                clock.now += step.seconds
            case _:
                stored.reset()
                memory.kept.clear()
        for key in ("a", "b", "c/d"):
            assert (stored.get(key), stored.get_expiry(key)) == memory.open(key)


def test_two_processes_with_one_file_let_through_what_one_would(tmp_path: Path) -> None:
    address = address_of(tmp_path / "limits")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", HITTING, address],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for each in started:
        assert first_line(each) == "ready\n"
    for each in started:
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()
    allowed = [int(each.communicate(timeout=30)[0]) for each in started]
    assert sum(allowed) == 60


def test_forked_processes_let_through_together_what_one_would() -> None:
    counts = Counts(shared=True)
    start = multiprocessing.Event()
    allowed: multiprocessing.Queue[int] = multiprocessing.Queue()

    def hit() -> None:
        limiter = FixedWindowRateLimiter(CountedStorage(counts=counts))
        start.wait(SECONDS)
        allowed.put(sum(limiter.hit(RateLimitItemPerHour(60), "key") for _ in range(100)))

    processes = [multiprocessing.get_context("fork").Process(target=hit) for _ in range(2)]
    for each in processes:
        each.start()
    start.set()
    assert sum(allowed.get(timeout=SECONDS) for _ in processes) == 60
    for each in processes:
        each.join(SECONDS)


def test_a_process_that_is_killed_while_it_counts_holds_up_nobody() -> None:
    counts = Counts(shared=True)

    def hold() -> None:
        counts._lock.acquire()
        os.kill(os.getpid(), signal.SIGKILL)

    killed = multiprocessing.get_context("fork").Process(target=hold)
    killed.start()
    killed.join(SECONDS)
    assert killed.exitcode == -signal.SIGKILL
    assert counts.add("key", 60, 1, now=1.0) == (1, 61.0)
    assert counts._lock.acquire(False), "the lock is free again"


def test_a_crowd_of_names_pushes_out_no_count_that_is_high(clock: Clock) -> None:
    storage = CountedStorage(clock=clock)
    assert storage.incr("key", 60, 10) == 10
    for number in range(200_000):
        storage.incr(f"stranger {number}", 60)
    assert storage.get("key") == 10


def test_the_package_makes_it_of_an_address(tmp_path: Path) -> None:
    path = tmp_path / "with space & 100%" / "limits.sqlite3"
    storage = storage_from_string(address_of(path))
    assert not path.exists(), "nothing is opened before the first count"
    limiter = FixedWindowRateLimiter(storage)
    minute = RateLimitItemPerMinute(2)
    assert [limiter.hit(minute, "key") for _ in range(3)] == [True, True, False]
    assert limiter.get_window_stats(minute, "key").remaining == 0
    assert storage.check()
    assert path.stat().st_mode & 0o777 == 0o600
    assert storage.reset() == 1


def test_what_is_over_is_deleted(tmp_path: Path, clock: Clock) -> None:
    storage = SqliteStorage(address_of(tmp_path / "limits"), clock=clock)
    for number in range(100):
        storage.incr(str(number), 60)
    clock.now += 61
    storage.incr("new", 60)
    assert storage.file.run("SELECT key FROM counts") == [("new",)]


def test_a_file_that_cannot_be_used_is_said_to_be_ill(tmp_path: Path) -> None:
    (tmp_path / "limits").mkdir()
    assert not SqliteStorage(address_of(tmp_path / "limits")).check()


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    path.write_bytes(b"no database at all" * 1000)
    storage = SqliteStorage(address_of(path))
    assert not storage.check()
    BoxFile(path).mend()
    assert storage.incr("key", 60) == 1
    storage.file.close()
    BoxFile(path).mend()
    assert storage.get("key") == 1, "a whole one stays"


@pytest.mark.parametrize("shared", [False, True])
def test_a_note_is_there_for_its_time_and_the_greater_number_stays(
    shared: bool, tmp_path: Path, clock: Clock
) -> None:
    notes = SharedNotes(BoxFile(tmp_path / "notes"), clock) if shared else OwnNotes(clock)
    assert notes.get("pause", "bot") is None
    notes.put("pause", "bot", 7.0, seconds=10)
    notes.put("pause", "bot", 5.0, seconds=1)
    assert notes.get("pause", "bot") == 7.0
    assert notes.get("pause", "other") is None
    clock.now += 10
    assert notes.get("pause", "bot") is None
    notes.put("pause", "bot", 3.0, seconds=10)
    assert notes.get("pause", "bot") == 3.0


def test_notes_are_seen_through_another_connection(tmp_path: Path, clock: Clock) -> None:
    one, other = (SharedNotes(BoxFile(tmp_path / "notes"), clock) for _ in range(2))
    one.put("press", "17", 1, seconds=60)
    assert other.get("press", "17") == 1


def test_where_the_file_fails_there_are_no_notes(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    notes = SharedNotes(BoxFile(tmp_path / "notes"))
    notes.put("press", "17", 1, seconds=60)
    assert notes.get("press", "17") is None
