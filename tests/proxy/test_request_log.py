"""The request log: what is noted, how it is written, how it goes."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from ulid import ULID

from tests.fakes.telegram import FakeTelegram, Reply, chunked, refusal
from tests.proxy.conftest import Program
from tgm.audit.models import AuditEntry
from tgm.audit.service import COMMAND_LINE
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.proxy import reading
from tgm.proxy.housekeeping import jobs
from tgm.proxy.idempotency import KEPT, Ticket
from tgm.proxy.models import IdempotencyEntry, RequestLogEntry
from tgm.proxy.requestlog import Filter, LogRow
from tgm.shared.clock import utcnow


def rows() -> list[RequestLogEntry]:
    runtime.request_log.flush()
    return list(db.session.scalars(select(RequestLogEntry).order_by(RequestLogEntry.id)))


def test_a_call_is_noted_without_its_body(program: Program, team: ULID) -> None:
    body = b'{"chat_id":1,"text":"a private word"}'
    got = program.call("SENDmessage", body)
    (row,) = rows()
    assert (row.team_id, str(row.bot_id)) == (team, program.bot_id)
    assert row.key_id == keys.of_team(team)[0].id
    assert (row.method, row.source, row.status) == ("sendMessage", "telegram", 200)
    assert (row.bytes_in, row.bytes_out) == (len(body), len(got.body))
    assert row.milliseconds >= 0
    assert row.error is None
    assert "private" not in str(vars(row))


def test_refusals_and_failures_are_told_apart(program: Program, telegram: FakeTelegram) -> None:
    program.call("logOut")
    program.call("getMe", bot_id="nobody")
    program.call("%67etMe")
    program.call("getMe", verb="PUT")
    telegram.replies(refusal(400, "Bad Request"), Reply(b"", close=True))
    program.call("sendMessage")
    program.call("sendMessage")
    assert [(row.source, row.status, row.error) for row in rows()] == [
        ("gateway", 403, "forbidden"),
        ("gateway", 404, "not_found"),
        ("gateway", 404, "not_found"),
        ("gateway", 405, "bad_verb"),
        ("telegram", 400, None),
        ("gateway", 502, "telegram_broken"),
    ]


def test_an_answer_that_broke_off_is_noted_as_such(
    program: Program, telegram: FakeTelegram
) -> None:
    telegram.replies(chunked(b"x" * 300_000, whole=False))
    with pytest.raises(Exception, match="IncompleteRead"):
        program.call("getStickerSet")
    (row,) = rows()
    assert (row.status, row.error) == (200, "telegram_broken")


def test_the_keys_last_use_is_noted(program: Program, team: ULID) -> None:
    assert keys.of_team(team)[0].last_used_at is None
    before = utcnow()
    program.call("getMe")
    runtime.request_log.flush()
    db.session.rollback()
    used = keys.of_team(team)[0].last_used_at
    assert used is not None
    assert used >= before


def test_a_bad_key_leaves_no_row_but_a_revoked_one_is_audited_once(
    program: Program, team: ULID
) -> None:
    key = keys.of_team(team)[0]
    keys.revoke(team, key.id, COMMAND_LINE)
    for _ in range(3):
        assert program.call("getMe").status == 401
    assert rows() == []
    query = select(AuditEntry).where(AuditEntry.action == "key.refused")
    (entry,) = db.session.scalars(query)
    assert (entry.team_id, entry.subject_id) == (team, str(key.id))
    assert entry.details == {"reason": "key_revoked"}
    assert entry.address == "127.0.0.1"


def a_row(**different: object) -> LogRow:
    row: dict[str, object] = {
        "at": utcnow(),
        "team_id": str(TEAM),
        "bot_id": None,
        "key_id": str(ULID()),
        "method": "getMe",
        "source": "telegram",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 0,
        "milliseconds": 1,
        "error": None,
    }
    return LogRow(**{**row, **different})  # type: ignore[arg-type]


TEAM = ULID.from_str("01HZXK3V5QJ8Y3N6M2R7T4W9AB")


def test_rows_are_kept_for_the_chosen_days(app: Flask) -> None:
    now = utcnow()
    for days in (13.9, 14.1, 400):
        runtime.request_log.add(a_row(at=now - timedelta(days=days)))
    runtime.request_log.flush()
    runtime.request_log.purge(now)
    assert len(rows()) == 1


def test_one_row_that_cannot_be_stored_holds_nobody_back(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    for size in (1, 2**70, 3):
        runtime.request_log.add(a_row(bytes_in=size))
    runtime.request_log.flush()
    assert [row.bytes_in for row in rows()] == [1, 3]
    assert "cannot be stored" in caplog.text


def test_a_claimed_length_is_noted_and_not_believed(program: Program) -> None:
    head = f"POST /api/v1/bots/{program.bot_id}/getMe HTTP/1.1\r\nHost: x\r\n"
    length = "9" * 18
    program.served.raw(
        f"{head}X-API-Key: {program.key}\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    (row,) = rows()
    assert (row.status, row.bytes_in) == (413, int(length))


def test_the_background_writes_renews_and_purges(app: Flask) -> None:
    now = utcnow()
    runtime.request_log.add(a_row())
    runtime.request_log.add(a_row(at=now - timedelta(days=15)))
    key_id = str(ULID())
    old = runtime.idempotency.begin(key_id, "old", "f", now - KEPT - timedelta(minutes=5))
    runtime.idempotency.abandon(Ticket(key_id, "none"))
    running = runtime.idempotency.begin(key_id, "new", "f", now - timedelta(minutes=5))
    assert isinstance(old, Ticket)
    assert isinstance(running, Ticket)
    for job in jobs(runtime.request_log, runtime.idempotency):
        job.run()
    assert len(rows()) == 1
    query = select(IdempotencyEntry.token, IdempotencyEntry.leased_until)
    leases = {row.token: row.leased_until for row in db.session.execute(query)}
    assert leases["new"] > now


def test_the_filter(app: Flask) -> None:
    now = utcnow()
    bot, key = ULID(), ULID()
    for row in (
        a_row(bot_id=str(bot), at=now - timedelta(hours=2)),
        a_row(key_id=str(key), method="sendMessage", status=429),
        a_row(status=404, team_id=str(ULID())),
        a_row(status=404),
    ):
        runtime.request_log.add(row)
    runtime.request_log.flush()

    def found(**wanted: object) -> list[int]:
        return [row.id for row in reading.page(TEAM, Filter(**wanted)).rows]  # type: ignore[arg-type]

    assert found() == [4, 2, 1]
    assert found(bot_id=bot) == [1]
    assert found(key_id=key) == [2]
    assert found(method="SENDMESSAGE") == [2]
    assert found(status=4) == [4, 2]
    assert found(status=404) == [4]
    assert found(since=now - timedelta(hours=1)) == [4, 2]
    assert found(until=now - timedelta(hours=1)) == [1]


def test_pages_follow_each_other(app: Flask) -> None:
    for number in range(5):
        runtime.request_log.add(a_row(status=200 + number))
    runtime.request_log.flush()
    first = reading.page(TEAM, Filter(), size=2)
    assert [row.status for row in first.rows] == [204, 203]
    assert first.has_more
    second = reading.page(TEAM, Filter(), first.rows[-1].id, size=3)
    assert [row.status for row in second.rows] == [202, 201, 200]
    assert not second.has_more
