"""Telegram's pace, kept by several processes together: by the same rules as by one."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proxy.test_pace import most_within
from tgm.proxy.boxpace import BoxPace
from tgm.proxy.pace import Pace, Paced, PaceReached, Slot
from tgm.shared.boxfile import BoxFile

BOT = "bot"
PRIVATE = "5"
SECONDS = 30

# What happens: after so long, in which process, to which chat, how many messages, how patient.
steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.03125, 0.25, 0.75]),
        st.integers(0, 1),
        st.sampled_from([None, "5", "6", "7", "8", "-100123", "@news"]),
        st.sampled_from([0, 1, 1, 1, 1, 1, 3, 10, 40]),
        st.sampled_from([0.0, 3.0, 1000.0]),
        st.sampled_from(["take"] * 8 + ["give back", "pause"]),
    ),
    max_size=80,
)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[BoxPace, BoxPace]:
    """The same pace, as two processes see it."""
    path = tmp_path / "shared"
    return BoxPace(BoxFile(path)), BoxPace(BoxFile(path))


bots = count()


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps)
def test_two_processes_give_the_very_turns_that_one_would(
    pair: tuple[BoxPace, BoxPace],
    given_steps: list[tuple[float, int, str | None, int, float, str]],
) -> None:
    alone, now = Pace(), 1000.0
    # A bot of its own for each example: nothing of the one before counts.
    bot = f"bot-{next(bots)}"
    slots: list[tuple[Slot, Slot]] = []
    for after, process, chat, messages, patience, what in given_steps:
        now += after
        together = pair[process]
        if what == "pause":
            alone.pause(now, bot, 2.5)
            together.pause(now, bot, 2.5)
        elif what == "give back":
            waiting = [each for each in slots if each[0].at > now]
            for each in waiting[:1]:
                alone.give_back(each[0])
                together.give_back(each[1])
                slots.remove(each)
        else:
            wanted: dict[str, Any] = {"patience": patience, "messages": messages, "chat": chat}
            mine, theirs = (taken(kept, now, bot, wanted) for kept in (alone, together))
            assert len(mine) == len(theirs), "both are let through, or neither is"
            slots += zip(mine, theirs, strict=True)
        for one, other in slots:
            # Either process is told the same, whichever has taken the turn.
            assert pair[process].look(other) == alone.look(one)
        assert together.paused_for(now, bot) == alone.paused_for(now, bot)


def taken(kept: Paced, now: float, bot: str, wanted: dict[str, Any]) -> list[Slot]:
    """Return the turn, none where that would come too late."""
    try:
        return [kept.take(now, bot, **wanted)]
    except PaceReached:
        return []


def test_a_call_that_is_held_hears_of_a_pause_that_another_process_was_asked_for(
    pair: tuple[BoxPace, BoxPace],
) -> None:
    one, other = pair
    one.take(0, BOT, patience=0, chat=PRIVATE)
    held = one.take(0, BOT, patience=9, chat=PRIVATE)
    assert held.at == 1
    other.pause(0.5, BOT, 7)
    assert one.look(held) == held.at == 7.5
    assert one.paused_for(0.5, BOT) == 7
    assert one.take(0.5, BOT, patience=9, messages=0).at == 7.5


def test_a_turn_that_another_process_has_for_the_same_is_not_taken_twice(
    pair: tuple[BoxPace, BoxPace],
) -> None:
    one, other = pair
    slot = one.take(0, BOT, patience=0, chat=PRIVATE, once="job 1")
    with pytest.raises(PaceReached):
        other.take(0, BOT, patience=9, chat="6", once="job 1")
    assert other.take(0, BOT, patience=0, chat="6", once="job 2").at == 0
    one.give_back(slot)
    assert other.take(0, BOT, patience=0, chat=PRIVATE, once="job 1").at == 0
    # Whoever had it has died, or needs another turn.
    assert one.take(2, BOT, patience=0, chat=PRIVATE, once="job 1").at == 2


def in_a_process(what: Callable[[], None]) -> int | None:
    process = multiprocessing.get_context("fork").Process(target=what)
    process.start()
    process.join(SECONDS)
    return process.exitcode


def test_the_turns_of_a_process_that_has_died_pass(tmp_path: Path) -> None:
    path = tmp_path / "shared"

    def die() -> None:
        kept = BoxPace(BoxFile(path))
        for _ in range(3):
            kept.take(0, BOT, patience=9, chat=PRIVATE)
        with kept._file.transaction() as connection:
            connection.execute("DELETE FROM turns")
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_process(die) == -signal.SIGKILL
    left = BoxPace(BoxFile(path))
    assert left.take(0, BOT, patience=9, chat=PRIVATE).at == 3, "what it had begun is undone"
    assert left.take(9, BOT, patience=0, chat=PRIVATE).at == 9


def test_a_restart_forgets_neither_turns_nor_pauses(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    before = BoxFile(path)
    BoxPace(before).take(0, BOT, patience=0, chat=PRIVATE)
    BoxPace(before).pause(0, "another bot", 7)
    before.close()
    BoxFile(path).mend()
    after = BoxPace(BoxFile(path))
    assert after.take(0, BOT, patience=9, chat=PRIVATE).at == 1
    assert after.paused_for(0, "another bot") == 7


def test_processes_that_take_turns_at_once_let_through_what_one_would(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    context = multiprocessing.get_context("fork")
    start, times = context.Event(), context.Queue()

    def take() -> None:
        kept = BoxPace(BoxFile(path))
        start.wait(SECONDS)
        times.put([kept.take(0, BOT, patience=99, chat=str(n)).at for n in range(150)])

    processes = [context.Process(target=take) for _ in range(2)]
    for each in processes:
        each.start()
    start.set()
    found = [times.get(timeout=SECONDS) for _ in processes]
    for each in processes:
        each.join(SECONDS)
    # 300 messages, 30 a second, and none to the same chat within the same second.
    assert sorted(found[0] + found[1]) == sorted(float(n // 30) for n in range(300))
    for first, second in zip(*found, strict=True):
        assert abs(first - second) >= 1
    assert most_within(found[0] + found[1], 1) == 30


def test_what_is_over_is_deleted_and_what_stood_there_before_the_last_boot(
    pair: tuple[BoxPace, BoxPace], tmp_path: Path
) -> None:
    one, _ = pair
    for number in range(100):
        one.take(0, BOT, patience=99, chat=str(number))
    one.pause(0, BOT, 5)
    one.take(1000, BOT, patience=0, chat=PRIVATE)
    file = BoxFile(tmp_path / "shared")
    assert file.run("SELECT at FROM turns") == [(1000.0,)]
    assert file.run("SELECT bot FROM pauses") == []
    file.run("UPDATE turns SET bot = 'bot another-boot', at = 5000")
    file.run("INSERT INTO pauses VALUES ('bot another-boot', 5000)")
    assert one.take(1000, BOT, patience=0, chat=PRIVATE).at == 1000
    one.take(1010, BOT, patience=0, chat=PRIVATE)
    assert file.run("SELECT DISTINCT at FROM turns") == [(1000.0,), (1010.0,)]
    assert file.run("SELECT bot FROM pauses") == []


def test_where_the_file_fails_the_process_keeps_the_pace_by_itself(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    kept = BoxPace(BoxFile(tmp_path / "shared"))
    kept.take(0, BOT, patience=0, chat=PRIVATE)
    second = kept.take(0, BOT, patience=9, chat=PRIVATE)
    assert second.at == 1
    kept.pause(0, BOT, 5)
    assert (kept.look(second), kept.paused_for(0, BOT)) == (5, 5)
    kept.give_back(second)
    assert kept.take(5, BOT, patience=0, chat=PRIVATE).at == 5
