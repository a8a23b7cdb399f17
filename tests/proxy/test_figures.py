"""Calls are counted as they are logged, and reading the counts reads nothing else."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from ulid import ULID

from tests.ending import join
from tests.fakes.telegram import FakeTelegram, Reply, refusal
from tests.proxy.conftest import Program
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.proxy import figures
from tgm.proxy.figures import Outcome, Totals
from tgm.proxy.models import RequestFigure, RequestLogEntry
from tgm.proxy.requestlog import LogRow, RequestLog
from tgm.shared.clock import utcnow
from tgm.shared.spans import HOUR, SPANS

NOON = datetime(2026, 11, 21, 12, 34, tzinfo=UTC)
TEAM, BOT, KEY = ULID(), ULID(), ULID()


def a_row(at: datetime = NOON, **different: Any) -> LogRow:
    row: dict[str, Any] = {
        "at": at,
        "team_id": str(TEAM),
        "bot_id": str(BOT),
        "key_id": str(KEY),
        "method": "getMe",
        "source": "telegram",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 0,
        "milliseconds": 1,
        "error": None,
        **different,
    }
    return LogRow(**row)


def note(*rows: LogRow) -> None:
    for row in rows:
        runtime.request_log.add(row)


def sums(span: str = "1h", team_id: ULID = TEAM, now: datetime = NOON) -> dict[Outcome, int]:
    found = figures.series(team_id, SPANS[span], now).counts
    return {outcome: sum(counts) for outcome, counts in found.items() if any(counts)}


def kept(step: int) -> int:
    db.session.rollback()
    query = select(func.count()).select_from(RequestFigure).where(RequestFigure.step == step)
    return db.session.scalar(query) or 0


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what is asked of the database."""
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    for engine in db.engines.values():
        event.listen(engine, "before_cursor_execute", listen)
    yield asked
    for engine in db.engines.values():
        event.remove(engine, "before_cursor_execute", listen)


def test_a_call_counts_as_soon_as_it_is_answered(
    program: Program, team: ULID, telegram: FakeTelegram
) -> None:
    program.call("getMe")
    program.call("logOut")
    telegram.replies(refusal(400, "Bad Request"), Reply(b"", close=True))
    program.call("sendMessage")
    program.call("sendMessage")
    now = utcnow()
    one_each = dict.fromkeys(Outcome, 1)
    assert sums("1h", team, now) == sums("24h", team, now) == one_each
    assert sums("7d", team, now) == sums("30d", team, now) == one_each
    bot = ULID.from_str(program.bot_id)
    assert figures.totals_by_bot(team, now - timedelta(days=1)) == {bot: Totals(4, 3)}
    (key,) = keys.of_team(team)
    assert figures.hourly_by_key(team, now)[key.id][-1] == 4


def test_another_teams_calls_are_not_counted(app: Flask) -> None:
    note(a_row(team_id=str(ULID())))
    assert sums() == {}
    assert figures.totals_by_bot(TEAM, NOON - timedelta(days=1)) == {}
    assert figures.hourly_by_key(TEAM, NOON) == {}


def test_a_call_that_names_no_bot_counts_for_its_team_and_key(app: Flask) -> None:
    note(a_row(bot_id=None, source="gateway", status=404))
    assert sums() == {Outcome.REFUSED: 1}
    assert figures.totals_by_bot(TEAM, NOON - timedelta(days=1)) == {}
    assert sum(figures.hourly_by_key(TEAM, NOON)[KEY]) == 1


def test_a_call_falls_into_the_piece_in_which_it_was_answered(app: Flask) -> None:
    note(*(a_row(NOON - timedelta(minutes=ago)) for ago in (0, 3, 4, 5, 55, 64)))
    counts = figures.series(TEAM, SPANS["1h"], NOON).counts[Outcome.DONE]
    assert counts == (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3)
    hourly = figures.hourly_by_key(TEAM, NOON)[KEY]
    assert (len(hourly), hourly[-3:]) == (24, (0, 2, 4))


@pytest.mark.parametrize("span", list(SPANS))
def test_the_figures_are_what_counting_the_rows_gives(app: Flask, span: str) -> None:
    chance = random.Random(span)
    kinds = [("telegram", status) for status in (200, 400, 403, 429, 500)]
    kinds += [("gateway", status) for status in (403, 404, 429, 502, 504)]
    length = SPANS[span].count * SPANS[span].seconds
    for _ in range(3000):
        source, status = chance.choice(kinds)
        at = NOON - timedelta(seconds=chance.random() * length * 1.2)
        note(a_row(at, source=source, status=status, team_id=str(chance.choice([TEAM, BOT]))))
    series = figures.series(TEAM, SPANS[span], NOON)
    log = RequestLogEntry
    query = select(log.at, log.source, log.status).where(log.team_id == TEAM)
    counted: Counter[tuple[Outcome, int]] = Counter()
    for at, source, status in db.session.execute(query):
        if at >= series.starts[0]:
            place = sum(begun <= at for begun in series.starts) - 1
            counted[_outcome(source, status), place] += 1
    shown = {
        (outcome, place): count
        for outcome, counts in series.counts.items()
        for place, count in enumerate(counts)
        if count
    }
    assert shown == dict(counted)
    assert sum(counted.values()) > 1000


def _outcome(source: str, status: int) -> Outcome:
    if status < 400:
        return Outcome.DONE
    if source == "telegram":
        return Outcome.TELEGRAM_ERROR
    return Outcome.REFUSED if status < 500 else Outcome.FAILED


def test_processes_that_write_at_the_same_time_add_up(app: Flask) -> None:
    logs = [RequestLog(db.engines[WRITER], keep_days=14) for _ in range(4)]

    def work(log: RequestLog) -> None:
        for _ in range(20):
            for status in (200, 400, 429):
                log.add(a_row(status=status))
            log.flush()

    threads = [threading.Thread(target=work, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    join(*threads)
    assert sums() == {Outcome.DONE: 80, Outcome.TELEGRAM_ERROR: 160}


def test_a_row_that_cannot_be_stored_is_not_counted(app: Flask) -> None:
    note(a_row(), a_row(bytes_in=2**70), a_row())
    assert sums() == {Outcome.DONE: 2}


@pytest.mark.parametrize(
    "read",
    [
        *(lambda name=name: figures.series(TEAM, SPANS[name], NOON) for name in SPANS),
        lambda: figures.totals_by_bot(TEAM, NOON - timedelta(days=1)),
        lambda: figures.hourly_by_key(TEAM, NOON),
    ],
)
def test_reading_never_touches_the_request_log(app: Flask, read: Callable[[], object]) -> None:
    note(*(a_row(NOON - timedelta(hours=ago)) for ago in range(100)))
    runtime.request_log.flush()
    with statements() as asked:
        read()
    selects = [each for each in asked if each.startswith("SELECT")]
    assert len(selects) == 1
    assert "FROM request_figures" in selects[0]
    assert not any("request_log" in each for each in asked)


def test_reading_leaves_the_callers_rows_alone(app: Flask) -> None:
    note(a_row())
    runtime.request_log.flush()
    row = db.session.scalars(select(RequestLogEntry)).one()
    sums()
    with statements() as asked:
        assert row.method == "getMe"
    assert asked == []


def test_a_month_of_a_busy_team_is_one_row_for_each_kind_and_hour(app: Flask) -> None:
    note(*(a_row(NOON - timedelta(minutes=minute / 10)) for minute in range(3000)))
    runtime.request_log.flush()
    # Six hours, each for the team, the bot and the key.
    assert kept(HOUR) == 18


def test_old_figures_go_and_what_a_chart_shows_stays(app: Flask) -> None:
    note(*(a_row(NOON - timedelta(days=days)) for days in (0, 1.9, 2.1, 29, 30.9, 31.1, 400)))
    runtime.request_log.flush()
    runtime.request_log.purge(NOON)
    assert kept(300) == 2
    assert kept(HOUR) == 5 * 3
    assert sum(sums("30d").values()) == 4


@pytest.mark.given(REQUEST_LOG_DAYS="60")
def test_figures_stay_as_long_as_the_log(app: Flask) -> None:
    note(a_row(NOON - timedelta(days=59)), a_row(NOON - timedelta(days=61)))
    runtime.request_log.flush()
    runtime.request_log.purge(NOON)
    assert kept(HOUR) == 3


def test_one_step_of_the_purge_deletes_a_day_at_most(app: Flask) -> None:
    note(*(a_row(NOON - timedelta(days=40, hours=ago)) for ago in range(100)))
    runtime.request_log.flush()
    deleted: list[int] = []

    def listen(_c: object, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM request_figures"):
            deleted.append(cursor.rowcount)

    event.listen(db.engines[WRITER], "after_cursor_execute", listen)
    runtime.request_log.purge(NOON)
    event.remove(db.engines[WRITER], "after_cursor_execute", listen)
    assert max(deleted) <= 24 * 3
    assert kept(HOUR) == kept(300) == 0
