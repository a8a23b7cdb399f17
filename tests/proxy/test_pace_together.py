"""Two serving processes keep one bot's pace as one would."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from pathlib import Path

import pytest
from ulid import ULID

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
from tgm.shared.sqlite_limits import address_of

SECONDS = 30
PATIENT = {"Prefer": "wait=30"}


@dataclass
class Pair:
    """A program as it speaks to each of two processes, or to both behind one address.

    `arrivals` are the messages that have reached Telegram from them, and when.
    """

    programs: Sequence[Program]
    file: BoxFile
    arrivals: list[tuple[float, str]] = field(default_factory=list)

    def turns(self, chat: str = "%") -> list[float]:
        """Return when the calls have left or will leave, as the processes agree."""
        query = "SELECT at FROM turns WHERE chat LIKE ? ORDER BY at"
        return [at for (at,) in self.file.run(query, (chat,))]

    def at_once(self, calls: Sequence[tuple[str, bytes]], **headers: str) -> list[Got]:
        """Make calls at once, at one process and the other in turn."""
        with ThreadPoolExecutor(len(calls)) as pool:
            futures = [
                pool.submit(program.call, method, body, headers=headers)
                for program, (method, body) in zip(cycle(self.programs), calls, strict=False)
            ]
            return [future.result(SECONDS) for future in futures]

    def arrived(self, call: Recorded) -> Reply:
        self.arrivals.append((time.monotonic(), json.loads(call.body)["text"]))
        return reply({"ok": True, "result": True})


Serve = Callable[..., Pair]


def album(chat: int) -> bytes:
    """Return what counts as four messages: what follows it is held for four seconds."""
    return json.dumps({"chat_id": chat, "media": [{"type": "photo", "media": "x"}] * 4}).encode()


@pytest.fixture
def serve(
    team: ULID,
    bot: Bot,
    make_key: Callable[..., str],
    settings: Settings,
    tmp_path: Path,
    telegram: FakeTelegram,
) -> Iterator[Serve]:
    """Serve with processes that are each started with these words, and more in the environment."""
    bots.keep_pace(team, bot.id, True, COMMAND_LINE)
    key, file = make_key(per_minute=100_000), BoxFile(settings.shared_path)
    with ExitStack() as stack:

        def serve(environ: dict[str, str], *starts: Sequence[str]) -> Pair:
            programs = []
            for number, words in enumerate(starts):
                started = stack.enter_context(process(environ, tmp_path / f"log-{number}", *words))
                if words:
                    serving(started.popen.pid, int(words[-1]))
                programs.append(Program(started.served, str(bot.id), key))
            pair = Pair(programs, file)
            telegram.always("sendMessage", pair.arrived)
            return pair

        yield serve
    file.close()


@pytest.fixture
def pair(serve: Serve, environ: dict[str, str], tmp_path: Path) -> Pair:
    """Two that were started one by one, so that a test knows whom it asks."""
    counting = {"RATE_LIMIT_STORAGE_URI": address_of(tmp_path / "limits.sqlite3")}
    return serve({**environ, **counting}, (), ())


def check_sixty(pair: Pair) -> None:
    calls = [("sendMessage", message(chat)) for chat in range(1, 61)]
    assert Counter(got.status for got in pair.at_once(calls, **PATIENT)) == {200: 60}
    assert len(pair.arrivals) == len(pair.turns()) == 60
    assert most_within(pair.turns(), 1) == 30
    # Less than a second, since each takes a moment from its turn to Telegram.
    assert most_within([at for at, _ in pair.arrivals], 0.3) <= 30


def test_sixty_messages_through_both_never_leave_more_than_thirty_in_a_second(pair: Pair) -> None:
    check_sixty(pair)


def test_nor_do_they_behind_one_address(serve: Serve, environ: dict[str, str]) -> None:
    check_sixty(serve(environ, ("--processes", "2")))


def test_one_chat_gets_one_a_second_whichever_process_sends(pair: Pair) -> None:
    calls = [("sendMessage", message(5))] * 4
    assert [got.status for got in pair.at_once(calls, **PATIENT)] == [200] * 4
    assert [later - earlier >= 1 for earlier, later in pairwise(pair.turns())] == [True] * 3
    times = [at for at, _ in pair.arrivals]
    assert all(later - earlier > 0.5 for earlier, later in pairwise(times)), times


def test_what_both_hold_hears_of_the_pause_that_one_of_them_was_asked_for(
    pair: Pair, telegram: FakeTelegram
) -> None:
    sent = pair.at_once([("sendMediaGroup", album(chat)) for chat in range(1, 7)])
    assert [got.status for got in sent] == [200] * 6
    with ThreadPoolExecutor(1) as pool:
        calls = [("sendMessage", message(chat, "held")) for chat in range(1, 7)]
        held = pool.submit(pair.at_once, calls, Prefer="wait=10")
        wait_until(lambda: len(pair.turns()) == 12, "all are held")
        telegram.replies(refusal(429, "Too Many Requests: retry after 20", retry_after=20))
        got = pair.programs[0].call("sendMessage", message(9, "too much"))
        assert got.headers["X-TGM-Source"] == "telegram"
        answers = held.result(SECONDS)
    assert [got.status for got in answers] == [429] * 6
    assert {got.headers["X-TGM-Source"] for got in answers} == {"gateway"}
    assert pair.arrivals == []
    # Nor does either of them let anything new through.
    more = pair.at_once([("getChat", message(5))] * 4, Prefer="wait=0")
    assert [got.headers["X-TGM-Source"] for got in more] == ["gateway"] * 4


def test_queued_calls_are_made_once_in_order_and_a_second_apart_by_both(pair: Pair) -> None:
    programs = cycle(pair.programs)
    queued = [
        queue_up(next(programs), message(chat, f"{chat} {number}"))["job_id"]
        for number in range(4)
        for chat in (5, 6, 7)
    ]
    assert [ended(pair.programs[0], job_id)["state"] for job_id in queued] == ["done"] * 12
    for chat in "567":
        found = [text for _, text in pair.arrivals if text.startswith(chat)]
        assert found == [f"{chat} {number}" for number in range(4)]
        turns = pair.turns(chat)
        assert [later - earlier >= 1 for earlier, later in pairwise(turns)] == [True] * 3


def test_a_held_call_of_a_process_that_is_killed_leaves_its_turn_unused_and_no_more(
    serve: Serve, environ: dict[str, str], tmp_path: Path
) -> None:
    environ = {**environ, "RATE_LIMIT_STORAGE_URI": address_of(tmp_path / "limits.sqlite3")}
    with process(environ, tmp_path / "log-killed") as killed, ThreadPoolExecutor(1) as pool:
        pair = serve(environ, ())
        (left,) = pair.programs
        doomed = Program(killed.served, left.bot_id, left.key)
        assert left.call("sendMediaGroup", album(5)).status == 200
        lost = pool.submit(doomed.call, "sendMessage", message(5, "lost"), headers=PATIENT)
        wait_until(lambda: len(pair.turns("5")) == 2, "it is held")
        killed.popen.kill()
        assert lost.exception(SECONDS) is not None
        assert left.call("sendMessage", message(5, "next"), headers=PATIENT).status == 200
    assert [text for _, text in pair.arrivals] == ["next"]
