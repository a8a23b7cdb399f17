"""Two processes behind one address keep one bot's pace as one would."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from ulid import ULID
from werkzeug.datastructures import Headers

from tests.fakes.process import process
from tests.fakes.serving import Got
from tests.fakes.telegram import FakeTelegram, Recorded, Reply, refusal, reply
from tests.live.listening import wait_until
from tests.proxy.conftest import Program
from tests.proxy.test_jobs import ended, message, queue_up
from tests.proxy.test_pace import most_within
from tests.test_processes import serving
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.settings import Settings
from tgm.shared.boxfile import BoxFile

SECONDS = 30
PATIENT = {"Prefer": "wait=30"}


@dataclass
class Pair:
    """Two processes that serve; `arrivals` are what has reached Telegram from them, and when."""

    program: Program
    pids: Sequence[int]
    file: BoxFile
    arrivals: list[tuple[float, str]] = field(default_factory=list)

    def turns(self) -> list[float]:
        """Return when the calls have left or will leave, as the processes agree."""
        return [at for (at,) in self.file.run("SELECT at FROM turns ORDER BY at")]

    def shares(self) -> list[int]:
        """Return how many connections each process has."""
        port = f":{self.program.served.address[1]:04X}"
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ours = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == "01"}
        return [len(ours & sockets(pid)) for pid in self.pids]


def sockets(pid: int) -> set[str]:
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(str(path.readlink()))
    return found


@pytest.fixture
def pair(
    team: ULID,
    bot: Bot,
    make_key: Callable[..., str],
    environ: dict[str, str],
    settings: Settings,
    tmp_path: Path,
    telegram: FakeTelegram,
) -> Iterator[Pair]:
    bots.keep_pace(team, bot.id, True, COMMAND_LINE)
    key = make_key(per_minute=100_000)
    with process(environ, tmp_path / "log", "--processes", "2") as started:
        program = Program(started.served, str(bot.id), key)
        # What `serve` has made of the settings, for two.
        file = BoxFile(settings.shared_path)
        pair = Pair(program, serving(started.popen.pid, 2), file)

        def answer(call: Recorded) -> Reply:
            pair.arrivals.append((time.monotonic(), json.loads(call.body)["text"]))
            return reply({"ok": True, "result": True})

        telegram.always("sendMessage", answer)
        yield pair
        file.close()


def at_once(pair: Pair, calls: Sequence[tuple[str, bytes]], **headers: str) -> list[Got]:
    """Make calls at once, each on a connection of its own, which both processes have some of."""
    host = pair.program.served.address
    sent = {"X-API-Key": pair.program.key, "Content-Type": "application/json", **headers}

    def call(connection: http.client.HTTPConnection, method: str, body: bytes) -> Got:
        connection.request("POST", f"/api/v1/bots/{pair.program.bot_id}/{method}", body, sent)
        answer = connection.getresponse()
        return Got(answer.status, Headers(answer.getheaders()), answer.read())

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(calls)))
        connections = [http.client.HTTPConnection(*host, timeout=SECONDS) for _ in calls]
        for each in connections:
            stack.callback(each.close)
            each.connect()
        wait_until(lambda: sum(pair.shares()) >= len(calls), "the connections are taken")
        assert min(pair.shares()) >= len(calls) // 4, "both processes have their share"
        futures = [
            pool.submit(call, connection, *each)
            for connection, each in zip(connections, calls, strict=True)
        ]
        return [future.result(SECONDS) for future in futures]


def test_sixty_messages_through_both_never_leave_more_than_thirty_in_a_second(pair: Pair) -> None:
    calls = [("sendMessage", message(chat)) for chat in range(1, 61)]
    assert Counter(got.status for got in at_once(pair, calls, **PATIENT)) == {200: 60}
    assert len(pair.arrivals) == len(pair.turns()) == 60
    assert most_within(pair.turns(), 1) == 30
    # Half a second, since each takes a moment on its way.
    assert most_within([at for at, _ in pair.arrivals], 0.5) <= 30


def test_one_chat_gets_one_a_second_whichever_process_sends(pair: Pair) -> None:
    calls = [("sendMessage", message(5))] * 4
    assert [got.status for got in at_once(pair, calls, **PATIENT)] == [200] * 4
    assert [later - earlier >= 1 for earlier, later in pairwise(pair.turns())] == [True] * 3
    times = [at for at, _ in pair.arrivals]
    assert all(later - earlier > 0.9 for earlier, later in pairwise(times)), times


def test_what_both_hold_hears_of_the_pause_that_one_of_them_was_asked_for(
    pair: Pair, telegram: FakeTelegram
) -> None:
    # Each counts as four, so that what follows it is held for four seconds.
    media = [{"type": "photo", "media": "x"}] * 4
    for chat in range(1, 7):
        album = json.dumps({"chat_id": chat, "media": media}).encode()
        assert pair.program.call("sendMediaGroup", album).status == 200
    with ThreadPoolExecutor(1) as pool:
        calls = [("sendMessage", message(chat, "held")) for chat in range(1, 7)]
        held = pool.submit(at_once, pair, calls, Prefer="wait=10")
        wait_until(lambda: len(pair.turns()) == 12, "all are held")
        flood = refusal(429, "Too Many Requests: retry after 20", retry_after=20)
        telegram.replies(flood)
        got = pair.program.call("sendMessage", message(9, "too much"))
        assert got.headers["X-TGM-Source"] == "telegram"
        answers = held.result(SECONDS)
    assert [got.status for got in answers] == [429] * 6
    assert {got.headers["X-TGM-Source"] for got in answers} == {"gateway"}
    assert pair.arrivals == []
    # Nor does either of them let anything new through.
    more = at_once(pair, [("getChat", message(5))] * 8, Prefer="wait=0")
    assert [got.headers["X-TGM-Source"] for got in more] == ["gateway"] * 8


def test_queued_calls_are_made_once_in_order_and_a_second_apart_by_both(pair: Pair) -> None:
    queued = [
        queue_up(pair.program, message(chat, f"{chat} {number}"))["job_id"]
        for number in range(4)
        for chat in (5, 6)
    ]
    assert [ended(pair.program, job_id)["state"] for job_id in queued] == ["done"] * 8
    for chat in "56":
        found = [(at, text) for at, text in pair.arrivals if text.startswith(chat)]
        assert [text for _, text in found] == [f"{chat} {number}" for number in range(4)]
        assert all(later[0] - earlier[0] > 0.9 for earlier, later in pairwise(found))
