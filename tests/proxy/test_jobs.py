"""Calls that are queued by Prefer: respond-async: durable, in order, and made once."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from ulid import ULID

from tests.browsing import csrf_token, submit
from tests.dropin.conftest import Library
from tests.fakes.process import process
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import OTHER_TOKEN, FakeTelegram, Recorded, Reply, refusal, reply
from tests.live.listening import wait_until
from tests.making import browser_of
from tests.proxy.conftest import Program
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.dropin.tokens import virtual_token
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.proxy.jobs import KEPT, Jobs, NewJob
from tgm.proxy.models import JobState, SendJob
from tgm.shared.clock import utcnow
from tgm.shared.errors import TooManyRequests
from tgm.shared.ids import new_id
from tgm.webhook.owners import Owner

LATER = {"Prefer": "respond-async"}
CUT_SHORT = Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", close=True)


def message(chat: object, text: str = "Hello") -> bytes:
    return json.dumps({"chat_id": chat, "text": text}).encode()


@pytest.fixture
def sending(app: Flask) -> Iterator[Callable[[], None]]:
    """Begin to make the calls that are queued."""
    yield lambda: runtime.sending.start(Owner(runtime.settings.instance_path, "senders"))
    runtime.sending.stop()


def queue_up(program: Program, body: bytes, **headers: str) -> dict[str, Any]:
    got = program.call("sendMessage", body, headers={**LATER, **headers})
    assert got.status == 202, got.body
    result: dict[str, Any] = got.json["result"]
    return result


def look(program: Program, job_id: str, key: str | None = None) -> Got:
    target = f"/api/v1/bots/{program.bot_id}/jobs/{job_id}"
    return program.served.call("GET", target, None, {"X-API-Key": key or program.key})


def ended(program: Program, job_id: str) -> dict[str, Any]:
    """Wait until a job has come to its end, and return what its address tells."""
    final = {"done", "failed", "unknown"}
    wait_until(lambda: look(program, job_id).json["result"]["state"] in final, "the job ends")
    told: dict[str, Any] = look(program, job_id).json["result"]
    return told


def texts(telegram: FakeTelegram) -> list[str]:
    return [json.loads(call.body)["text"] for call in telegram.calls("sendMessage")]


def test_a_queued_call_gets_202_and_an_address_that_tells_its_outcome(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    got = program.call("sendMessage", message(5), headers=LATER)
    job_id = got.json["result"]["job_id"]
    url = f"{program.served.url}/api/v1/bots/{program.bot_id}/jobs/{job_id}"
    assert got.json == {"ok": True, "result": {"job_id": job_id, "state": "queued", "url": url}}
    assert (got.status, got.headers["Location"]) == (202, url)
    assert got.headers["Preference-Applied"] == "respond-async"
    assert got.headers["X-TGM-Source"] == "gateway"
    assert telegram.requests == []
    told = look(program, job_id).json["result"]
    assert (told["state"], told["answer"], told["started_at"]) == ("queued", None, None)
    sending()
    told = ended(program, job_id)
    assert (told["state"], told["status"], told["error"]) == ("done", 200, None)
    assert told["answer"]["result"]["message_id"]
    assert told["created_at"] <= told["started_at"] <= told["finished_at"]
    (call,) = telegram.requests
    assert call.body == message(5)
    assert call.header("Content-Type") == "application/json"
    job = db.session.get_one(SendJob, 1)
    assert (job.body, job.query) == (None, ""), "what was sent is not kept"


def test_a_form_and_the_query_arrive_as_they_were_sent(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\x00\r\n--x--\r\n'
    sent = {"Content-Type": "multipart/form-data; boundary=x", **LATER}
    assert program.call("sendMessage?chat_id=%35", body, headers=sent).status == 202
    sending()
    (call,) = telegram.wait_for_call("sendMessage")
    assert call.target.endswith("/sendMessage?chat_id=%35")
    assert (call.body, call.header("Content-Type")) == (body, sent["Content-Type"])


def test_the_other_way_in_queues_too(
    served: Served,
    program: Program,
    bot: Bot,
    sending: Callable[[], None],
    telegram: FakeTelegram,
) -> None:
    library = Library(served, virtual_token(bot.telegram_id, program.key).value)
    got = library.call("sendMessage", message(5), headers=LATER)
    assert got.status == 202
    sending()
    assert ended(program, got.json["result"]["job_id"])["state"] == "done"


@pytest.mark.parametrize(
    ("verb", "method"),
    [("GET", "sendMessage"), ("POST", "getMe"), ("POST", "deleteWebhook"), ("POST", "setWebhook")],
)
def test_what_cannot_wait_is_made_at_once(
    program: Program,
    make_key: Callable[..., str],
    telegram: FakeTelegram,
    verb: str,
    method: str,
) -> None:
    key = make_key(methods=method)
    body = None if verb == "GET" else b"{}"
    got = program.call(method, body, verb=verb, headers={**LATER, "X-API-Key": key})
    assert got.status == 200
    assert "Preference-Applied" not in got.headers


def test_the_same_checks_come_first(
    program: Program, bot: Bot, team: ULID, make_key: Callable[..., str]
) -> None:
    narrow = make_key(methods="getMe")
    got = program.call("sendMessage", message(5), headers={**LATER, "X-API-Key": narrow})
    assert got.status == 403
    got = program.call("sendMessage", message(5), headers={**LATER, "X-API-Key": "tgm_live_x"})
    assert got.status == 401
    bots.disable(team, bot.id, COMMAND_LINE)
    assert program.call("sendMessage", message(5), headers=LATER).status == 403
    assert db.session.query(SendJob).count() == 0


def test_a_call_that_is_too_large_to_keep_is_refused(program: Program) -> None:
    got = program.call("sendMessage", message(5, "x" * 1024 * 1024), headers=LATER)
    assert got.status == 413
    assert got.json["description"] == (
        "Request Entity Too Large: a queued call may have 1 MB at most; "
        "send it without Prefer: respond-async"
    )


def test_only_the_program_and_its_keys_successors_see_a_job(
    program: Program, team: ULID, make_key: Callable[..., str], other_bot: Bot
) -> None:
    key, secret = keys.make(team, Rights("Program"), COMMAND_LINE)
    mine = Program(program.served, program.bot_id, secret.value)
    job_id = queue_up(mine, message(5))["job_id"]
    _, successor = keys.rotate(team, key.id, 1, COMMAND_LINE)
    assert look(mine, job_id).status == 200
    assert look(mine, job_id, successor.value).json["result"]["state"] == "queued"
    for wrong in (look(mine, job_id, make_key()), look(mine, str(new_id())), look(mine, "x")):
        assert wrong.json["description"] == "Not Found: job not found"
        assert wrong.status == 404
    target = f"/api/v1/bots/{program.bot_id}/jobs/{job_id}"
    posted = mine.served.call("POST", target, b"", {"X-API-Key": secret.value})
    assert (posted.status, posted.headers["Allow"]) == (405, "GET")


def test_who_looks_at_a_bot_or_deletes_it_is_told_what_is_queued(
    app: Flask, program: Program, bot: Bot, team: ULID
) -> None:
    admin, page = browser_of(app, team, Role.ADMIN), f"/dashboard/bots/{bot.id}"
    assert "queued" not in admin.get(f"{page}/delete").text
    queue_up(program, message(5))
    assert "1 call is queued" in admin.get(f"{page}/settings").text
    job_id = queue_up(program, message(6))["job_id"]
    data = {"csrf_token": csrf_token(admin.get(f"{page}/settings")), "keeps": "on"}
    panel = admin.post(f"{page}/pace", data=data, headers={"HX-Request": "true"})
    assert "2 calls are queued" in panel.text
    assert "2 queued calls" in admin.get(f"{page}/delete").text
    submit(admin, f"{page}/delete", name=bot.name)
    gone = look(program, job_id)
    assert (gone.status, gone.json["description"]) == (404, "Not Found: bot not found")


def test_a_bot_may_be_deleted_while_a_queued_call_is_under_way(
    program: Program,
    bot: Bot,
    team: ULID,
    telegram: FakeTelegram,
    sending: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = threading.Event()
    telegram.replies(reply({"ok": True, "result": True}, gate=gate))
    queue_up(program, message(5, "first"))
    queue_up(program, message(5, "second"))
    sending()
    telegram.wait_for_call("sendMessage")
    bots.delete(team, bot.id, bot.name, COMMAND_LINE)
    gate.set()
    # It waits for the first one; there is no second one any more.
    runtime.sending.stop()
    assert texts(telegram) == ["first"]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_the_same_idempotency_key_names_the_same_job(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    named = {"Idempotency-Key": "order-1"}
    first = queue_up(program, message(5), **named)
    assert queue_up(program, message(5), **named) == first
    other = program.call("sendMessage", message(6), headers={**LATER, **named})
    assert other.status == 422
    sending()
    ended(program, first["job_id"])
    assert queue_up(program, message(5), **named) == first
    assert len(telegram.requests) == 1


def test_messages_to_one_chat_are_sent_in_order_and_hold_up_no_other_chat(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    gate = threading.Event()
    sent = {"ok": True, "result": 1}
    telegram.always(
        "sendMessage", lambda call: reply(sent, gate=gate if b"five 0" in call.body else None)
    )
    for number in range(4):
        queue_up(program, message(5, f"five {number}"))
    last = queue_up(program, message(6, "six"))
    sending()
    assert ended(program, last["job_id"])["state"] == "done"
    assert sorted(texts(telegram)) == ["five 0", "six"]
    gate.set()
    telegram.wait_for(5)
    assert [text for text in texts(telegram) if text != "six"] == [f"five {n}" for n in range(4)]


def test_a_bot_that_keeps_its_pace_sends_queued_calls_a_second_apart(
    program: Program, team: ULID, bot: Bot, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    bots.keep_pace(team, bot.id, True, COMMAND_LINE)
    ids = [queue_up(program, message(5))["job_id"] for _ in range(3)]
    sending()
    ended(program, ids[-1])
    found = [job.started_at for job in db.session.query(SendJob).order_by(SendJob.seq)]
    started = [at for at in found if at is not None]
    assert len(started) == 3
    gaps = [later - earlier for earlier, later in pairwise(started)]
    # Each begins a moment after its turn.
    assert all(gap > timedelta(seconds=0.5) for gap in gaps), gaps


def test_a_429_queues_the_call_again_and_every_other_of_the_bot_waits(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    arrivals: list[float] = []

    def answer(_call: Recorded) -> Reply:
        arrivals.append(time.monotonic())
        if len(arrivals) == 1:
            return refusal(429, "Too Many Requests: retry after 1", retry_after=1)
        return reply({"ok": True, "result": 1})

    telegram.always("sendMessage", answer)
    first = queue_up(program, message(5))["job_id"]
    sending()
    wait_until(lambda: look(program, first).json["result"]["error"], "the call is put off")
    second = queue_up(program, message(6))["job_id"]
    assert look(program, first).json["result"]["error"] == "telegram_flood"
    assert ended(program, first)["error"] is None
    assert ended(program, second)["state"] == "done"
    assert len(arrivals) == 3
    assert arrivals[1] - arrivals[0] > 0.9


def test_what_telegram_refuses_has_failed_and_its_answer_is_told(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    telegram.replies(refusal(400, "Bad Request: chat not found"))
    job_id = queue_up(program, message(5))["job_id"]
    sending()
    told = ended(program, job_id)
    assert (told["state"], told["status"]) == ("failed", 400)
    assert told["answer"]["description"] == "Bad Request: chat not found"


@pytest.mark.parametrize("answer", [CUT_SHORT, refusal(500, "Internal Server Error")])
def test_where_nobody_knows_whether_telegram_acted_it_is_not_sent_again(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None], answer: Reply
) -> None:
    telegram.replies(answer)
    job_id = queue_up(program, message(5))["job_id"]
    next_id = queue_up(program, message(5, "next"))["job_id"]
    sending()
    assert ended(program, job_id)["state"] == "unknown"
    assert ended(program, next_id)["state"] == "done"
    assert texts(telegram) == ["Hello", "next"]


def test_while_telegram_cannot_be_reached_the_call_stays_queued(
    program: Program, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    telegram.__exit__()
    job_id = queue_up(program, message(5))["job_id"]
    sending()
    wait_until(lambda: look(program, job_id).json["result"]["error"], "it has been tried")
    told = look(program, job_id).json["result"]
    assert (told["state"], told["error"]) == ("queued", "telegram_connect")


def test_a_job_whose_key_was_revoked_is_not_sent(
    program: Program, team: ULID, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    key, secret = keys.make(team, Rights("Program"), COMMAND_LINE)
    job_id = queue_up(Program(program.served, program.bot_id, secret.value), message(5))["job_id"]
    keys.revoke(team, key.id, COMMAND_LINE)
    sending()
    wait_until(lambda: row(job_id).state == "failed", "it has failed")
    assert row(job_id).error == "key_refused"
    assert telegram.requests == []


def row(job_id: str) -> SendJob:
    db.session.rollback()
    return db.session.query(SendJob).filter_by(id=job_id).one()


def test_a_job_of_a_disabled_bot_waits_until_it_is_enabled(
    program: Program, team: ULID, bot: Bot, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    other = bots.add(team, OTHER_TOKEN, None, COMMAND_LINE)
    job_id = queue_up(program, message(5))["job_id"]
    bots.disable(team, bot.id, COMMAND_LINE)
    sending()
    enabled = replace(program, bot_id=str(other.id))
    for _ in range(2):
        assert ended(enabled, queue_up(enabled, message(5))["job_id"])["state"] == "done"
    assert row(job_id).state == "queued"
    bots.enable(team, bot.id, COMMAND_LINE)
    assert ended(program, job_id)["state"] == "done"


def test_after_a_kill_queued_calls_are_sent_once_and_the_one_under_way_is_unknown(
    environ: dict[str, str],
    tmp_path: Path,
    bot: Bot,
    make_key: Callable[..., str],
    telegram: FakeTelegram,
) -> None:
    key, gate = make_key(), threading.Event()
    telegram.replies(reply({"ok": True, "result": 1}, gate=gate))
    with process(environ, tmp_path / "log") as killed:
        program = Program(killed.served, str(bot.id), key)
        under_way = queue_up(program, message(5, "under way"))["job_id"]
        telegram.wait_for(1)
        queued = [queue_up(program, message(5, f"queued {n}"))["job_id"] for n in range(3)]
        killed.end(signal.SIGKILL)
    gate.set()
    with process(environ, tmp_path / "log") as restarted:
        program = Program(restarted.served, str(bot.id), key)
        assert [ended(program, job_id)["state"] for job_id in queued] == ["done"] * 3
        told = ended(program, under_way)
        assert (told["state"], told["error"]) == ("unknown", "cut_off")
    assert texts(telegram) == ["under way", "queued 0", "queued 1", "queued 2"]


class TestStore:
    """The queue by itself, with the time passed in."""

    @pytest.fixture
    def jobs(self, app: Flask) -> Jobs:
        return Jobs(db.engine, db.engines[WRITER])

    @pytest.fixture
    def make_job(self, bot: Bot) -> Callable[..., NewJob]:
        program_id = str(new_id())

        def make(chat: str = "5", body: bytes = b"{}") -> NewJob:
            return NewJob(
                team_id=str(bot.team_id),
                bot_id=str(bot.id),
                key_id=program_id,
                consumer_id=program_id,
                method="sendMessage",
                query="",
                content_type="",
                body=body,
                chat=chat,
                messages=1,
                token=None,
                fingerprint=None,
            )

        return make

    @pytest.fixture
    def add(self, jobs: Jobs, make_job: Callable[..., NewJob]) -> Callable[..., str]:
        return lambda chat="5": jobs.add(make_job(chat), utcnow())

    def seqs(self, jobs: Jobs, bot: Bot, now: Any) -> list[int]:
        return [due.seq for due in jobs.due(str(bot.id), now, 100)]

    def test_a_job_is_claimed_once_and_only_in_its_turn(
        self, jobs: Jobs, bot: Bot, add: Callable[..., str]
    ) -> None:
        for chat in ("5", "5", "6"):
            add(chat)
        now = utcnow()
        until = now + timedelta(seconds=10)
        assert self.seqs(jobs, bot, now) == [1, 3]
        assert jobs.claim(2, "a", now, until) is None
        assert jobs.claim(1, "a", now, until) is not None
        assert jobs.claim(1, "b", now, until) is None
        assert jobs.claim(2, "b", now, until) is None
        jobs.finish(1, "a", JobState.DONE, now)
        assert jobs.claim(2, "b", now, until) is not None

    def test_one_that_is_put_off_keeps_its_place(
        self, jobs: Jobs, bot: Bot, add: Callable[..., str]
    ) -> None:
        add()
        add()
        now = utcnow()
        later = now + timedelta(seconds=7)
        jobs.claim(1, "a", now, later)
        jobs.put_off(1, "a", later, "telegram_flood")
        assert self.seqs(jobs, bot, now) == []
        assert jobs.claim(1, "a", now, later) is None
        assert self.seqs(jobs, bot, later) == [1]

    def test_a_lease_that_runs_out_leaves_the_outcome_unknown_until_it_is_told_after_all(
        self, jobs: Jobs, bot: Bot, add: Callable[..., str]
    ) -> None:
        job_id, now = add(), utcnow()
        jobs.claim(1, "slow", now, now + timedelta(seconds=10))
        jobs.tidy(now + timedelta(seconds=9))
        assert row(job_id).state == "sending"
        jobs.tidy(now + timedelta(seconds=11))
        assert (row(job_id).state, row(job_id).error) == ("unknown", "cut_off")
        assert self.seqs(jobs, bot, now + timedelta(hours=1)) == []
        jobs.finish(1, "another", JobState.FAILED, now)
        jobs.finish(1, "slow", JobState.DONE, now, status=200)
        assert (row(job_id).state, row(job_id).status, row(job_id).error) == ("done", 200, None)

    def test_a_dead_process_is_settled_and_no_other(
        self, jobs: Jobs, bot: Bot, add: Callable[..., str]
    ) -> None:
        dead, alive, now = add("5"), add("6"), utcnow()
        jobs.claim(1, "dead", now, now + timedelta(hours=1))
        jobs.claim(2, "alive", now, now + timedelta(hours=1))
        jobs.bury("dead", now)
        assert (row(dead).state, row(alive).state) == ("unknown", "sending")

    def test_what_could_not_leave_for_a_day_has_failed_and_is_forgotten_a_day_later(
        self, jobs: Jobs, bot: Bot, add: Callable[..., str]
    ) -> None:
        job_id, now = add(), utcnow()
        jobs.tidy(now + KEPT - timedelta(seconds=1))
        assert row(job_id).state == "queued"
        expired = now + KEPT + timedelta(seconds=1)
        jobs.tidy(expired)
        assert (row(job_id).state, row(job_id).error) == ("failed", "expired")
        jobs.tidy(expired + KEPT + timedelta(seconds=1))
        db.session.rollback()
        assert db.session.query(SendJob).count() == 0

    def test_too_many_are_refused(self, make_job: Callable[..., NewJob]) -> None:
        few = Jobs(db.engine, db.engines[WRITER], most_open=2)
        for _ in range(2):
            few.add(make_job(), utcnow())
        with pytest.raises(TooManyRequests, match="2 calls of this bot are queued already"):
            few.add(make_job(), utcnow())

    def test_too_much_is_refused_until_some_of_it_has_left(
        self, bot: Bot, make_job: Callable[..., NewJob]
    ) -> None:
        small = Jobs(db.engine, db.engines[WRITER], most_bytes=2 * 1024 * 1024)
        half, now = b"x" * 1024 * 1024, utcnow()
        for _ in range(2):
            small.add(make_job(body=half), now)
        with pytest.raises(TooManyRequests, match="2 MB of calls of this bot are queued") as full:
            small.add(make_job(), now)
        assert (full.value.code, full.value.retry_after) == (429, 60)
        small.claim(1, "a", now, now + timedelta(seconds=9))
        with pytest.raises(TooManyRequests):
            small.add(make_job(), now)
        small.finish(1, "a", JobState.DONE, now)
        small.add(make_job(body=half), now)

    def test_a_full_queue_is_counted_without_reading_what_it_holds(
        self, app: Flask, bot: Bot
    ) -> None:
        query = (
            "EXPLAIN QUERY PLAN SELECT count(*), sum(size) FROM send_jobs"
            " WHERE bot_id = 'x' AND state IN ('queued', 'sending')"
        )
        with db.engine.connect() as connection:
            plan = [row.detail for row in connection.execute(text(query))]
        assert "USING COVERING INDEX ix_send_jobs_bot_id_state_size" in plan[0]
