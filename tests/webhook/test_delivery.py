"""Delivering to a real receiver, well-behaved or not. Time is handed over, never slept."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update
from standardwebhooks import Webhook
from ulid import ULID

from tests.fakes.receiver import Receiver, answers, breaks_off, hangs, redirects
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.making import make_team
from tests.webhook.delivering import (
    NOON,
    SECOND,
    a_deliverer,
    attempts_of,
    delivery_of,
    endpoint_at,
    endpoint_now,
    many,
    now_is,
    work,
    work_all,
)
from tests.webhook.rows import an_update, make_delivery, make_reception
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import runtime
from tgm.security.signing import new_secret
from tgm.shared.clock import utcnow
from tgm.webhook.delivery import Deliverer, Hooks
from tgm.webhook.models import Delivery, Endpoint, State
from tgm.webhook.nearby import News

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")

MINUTE = 60 * SECOND
DAY = timedelta(days=1)


@pytest.fixture
def bot_id(app: Flask) -> ULID:
    return bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE).id


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def endpoint(bot_id: ULID, receiver: Receiver) -> Endpoint:
    return endpoint_at(bot_id, receiver)


@pytest.fixture
def worker(app: Flask) -> Iterator[Deliverer]:
    with a_deliverer(total_seconds=0.3) as deliverer:
        yield deliverer


def change(endpoint: Endpoint, **values: object) -> None:
    with writing() as session:
        session.execute(update(Endpoint).where(Endpoint.id == endpoint.id).values(**values))


def secret_of(endpoint: Endpoint) -> str:
    return runtime.vault.open(endpoint.sealed_secret, place=endpoint.secret_place())


# What is sent


def test_the_exact_bytes_arrive_with_all_headers(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    raw = b'{ "update_id" : 7,\n "poll":{"id":"\\u0041"} }'
    now = utcnow()
    delivery = make_delivery(endpoint, raw, at=now, next_at=now)
    assert work(worker, now) == 1
    [got] = receiver.requests
    assert got.body == raw
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-webhook-bot-id"] == str(endpoint.bot_id)
    assert got.headers["x-webhook-attempt"] == "1"
    assert got.headers["user-agent"].startswith("TGM/")
    assert got.headers["webhook-id"] == str(delivery.id)
    assert got.headers["webhook-timestamp"] == str(int(now.timestamp()))
    Webhook(secret_of(endpoint)).verify(got.body, got.headers)
    [attempt] = attempts_of(delivery)
    assert attempt.signature == got.headers["x-webhook-signature"]
    assert TOKEN not in repr(worker.claim(1, now))


def test_each_attempt_carries_the_same_id_and_the_next_number(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    delivery = delivery_of(endpoint, 1)
    receiver.replies(answers(500), answers(200))
    work(worker, NOON)
    work(worker, NOON + 6 * SECOND)
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == str(delivery.id)
    assert [got.headers["x-webhook-attempt"] for got in receiver.requests] == ["1", "2"]


def test_an_old_secret_signs_beside_the_new_one_until_its_time_is_over(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    old, now = new_secret(), utcnow()
    sealed = runtime.vault.seal(old.value, place=endpoint.secret_place("sealed_old_secret"))
    change(endpoint, sealed_old_secret=sealed, old_secret_until=now + DAY)
    for number, at in ((1, now), (2, now + DAY)):
        delivery_of(endpoint, number, chat_id=number, at=at)
        work(worker, at)
    both, alone = receiver.requests
    Webhook(old.value).verify(both.body, both.headers)
    Webhook(secret_of(endpoint)).verify(both.body, both.headers)
    assert len(alone.headers["webhook-signature"].split()) == 1


# What follows


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver, status: int
) -> None:
    change(endpoint, failing_since=NOON, last_error="timeout")
    delivery = delivery_of(endpoint, 1)
    receiver.replies(answers(status))
    assert work_all(worker, NOON) == 1
    delivery = now_is(delivery)
    assert (delivery.state, delivery.last_status) == (State.DELIVERED, status)
    assert delivery.finished_at is not None
    assert delivery.lease_owner is None
    after = endpoint_now(endpoint)
    assert (after.failing_since, after.last_error) == (None, None)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again_after_the_schedule(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver, status: int
) -> None:
    delivery = delivery_of(endpoint, 1)
    receiver.replies(redirects(receiver.url, status) if status < 400 else answers(status, b"no"))
    assert work_all(worker, NOON) == 1
    delivery = now_is(delivery)
    assert (delivery.state, delivery.attempts_made) == (State.DUE, 1)
    assert (delivery.last_status, delivery.last_error) == (status, f"HTTP {status}")
    assert delivery.next_at is not None
    assert 5 * SECOND <= delivery.next_at - NOON < 6 * SECOND
    [attempt] = attempts_of(delivery)
    assert (attempt.status, attempt.number, attempt.at) == (status, 1, NOON)
    assert len(receiver.requests) == 1
    assert endpoint_now(endpoint).last_error == f"HTTP {status}"


def test_a_receiver_that_hangs_breaks_off_or_is_gone_is_tried_again(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    gate = threading.Event()
    receiver.replies(hangs(gate), breaks_off())
    delivery = delivery_of(endpoint, 1)
    work(worker, NOON)
    work(worker, NOON + MINUTE)
    receiver.refuse()
    work(worker, NOON + 10 * MINUTE)
    gate.set()
    assert [a.error for a in attempts_of(delivery)] == ["timeout", "broken", "connect"]
    assert [a.number for a in attempts_of(delivery)] == [1, 2, 3]
    assert now_is(delivery).state is State.DUE


def test_the_schedule_ends_and_the_delivery_is_dead_but_kept(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.always = answers(500)
    delivery, now = delivery_of(endpoint, 1), NOON
    for _ in range(10):
        assert work(worker, now) == 1
        now = now_is(delivery).next_at or now
    delivery = now_is(delivery)
    assert (delivery.state, delivery.next_at, delivery.attempts_made) == (State.DEAD, None, 10)
    assert now - NOON > timedelta(hours=22)
    assert work(worker, now + DAY) == 0


def test_retry_after_is_honoured_up_to_an_hour(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.replies(answers(429, Retry_After="120"), answers(503, Retry_After="999999"))
    first, second = delivery_of(endpoint, 1, chat_id=1), delivery_of(endpoint, 2, chat_id=2)
    work(worker, NOON)
    waits = [(now_is(each).next_at or NOON) - NOON for each in (first, second)]
    assert [round(wait / SECOND) for wait in waits] == [120, 3600]


def test_410_pauses_the_endpoint_at_once(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.replies(answers(410))
    delivery = delivery_of(endpoint, 1)
    work(worker, NOON)
    after = endpoint_now(endpoint)
    assert after.paused_because == "gone"
    assert after.paused_at is not None
    assert now_is(delivery).state is State.DUE
    delivery_of(endpoint, 2, chat_id=2)
    assert work(worker, NOON + DAY) == 0


def test_an_endpoint_that_fails_for_three_days_is_paused(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.always = answers(500)
    for number, at in ((1, NOON), (2, NOON + 2 * DAY)):
        delivery_of(endpoint, number, chat_id=number, at=at)
        work(worker, at)
    assert not endpoint_now(endpoint).is_paused
    delivery_of(endpoint, 3, chat_id=3, at=NOON + 3 * DAY + SECOND)
    work(worker, NOON + 3 * DAY + SECOND)
    assert endpoint_now(endpoint).paused_because == "failing"


def test_one_success_within_the_three_days_is_enough(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.always = lambda got: answers(200 if got.update_id == 2 else 500)
    for number, at in enumerate((NOON, NOON + 2 * DAY, NOON + 4 * DAY), 1):
        delivery_of(endpoint, number, chat_id=number, at=at)
        work(worker, at)
        # The earlier ones, whose retries would be due as well, are not what is asked about.
        with writing() as session:
            session.execute(update(Delivery).values(state=State.DEAD, next_at=None))
    after = endpoint_now(endpoint)
    assert not after.is_paused
    assert after.failing_since is not None
    assert after.failing_since >= NOON + 4 * DAY


def test_what_the_receiver_said_is_kept_without_secrets_and_not_whole(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    body = f"{TOKEN} \xff".encode("latin-1") + b"x" * 5000
    receiver.replies(answers(500, body, X_Trace="abc", Set_Cookie="session=1"))
    delivery = delivery_of(endpoint, 1)
    work(worker, NOON)
    [attempt] = attempts_of(delivery)
    assert attempt.response_body is not None
    assert len(attempt.response_body) <= 4096
    assert attempt.response_body.startswith(b"[token] \xff")
    assert ["X-Trace", "abc"] in (attempt.response_headers or [])
    assert "Set-Cookie" not in str(attempt.response_headers)


def test_a_removed_endpoint_takes_an_attempt_under_way_along(
    worker: Deliverer, bot_id: ULID, receiver: Receiver
) -> None:
    doomed, other = endpoint_at(bot_id, receiver, "a"), endpoint_at(bot_id, receiver, "b")
    delivery_of(doomed, 1)
    [claimed] = worker.claim(10, NOON)
    with writing() as session:
        session.delete(session.get_one(Endpoint, doomed.id))
    worker.attempt(claimed, NOON)
    kept = delivery_of(other, 2)
    work(worker, NOON)
    assert now_is(kept).state is State.DELIVERED


# Answers that name a method


def test_an_answer_is_called_only_where_the_endpoint_takes_answers(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver, telegram: FakeTelegram
) -> None:
    receiver.always = answers(200, {"method": "sendMessage", "chat_id": 5, "text": "Siap"})
    off = delivery_of(endpoint, 1)
    work(worker, NOON)
    assert (telegram.calls("sendMessage"), attempts_of(off)[0].called) == ([], None)
    change(endpoint, takes_answers=True)
    on = delivery_of(endpoint, 2)
    work(worker, NOON)
    [called] = telegram.calls("sendMessage")
    assert json.loads(called.body) == {"chat_id": 5, "text": "Siap"}
    assert attempts_of(on)[0].called == "sendMessage ok"


def test_a_long_answer_is_called_whole_and_kept_short(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver, telegram: FakeTelegram
) -> None:
    change(endpoint, takes_answers=True)
    receiver.always = answers(200, {"method": "sendMessage", "chat_id": 5, "text": "é" * 4096})
    delivery = delivery_of(endpoint, 1)
    work(worker, NOON)
    assert len(json.loads(telegram.calls("sendMessage")[0].body)["text"]) == 4096
    assert len(attempts_of(delivery)[0].response_body or b"") == 4096


def test_a_failed_answer_is_not_called(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver, telegram: FakeTelegram
) -> None:
    change(endpoint, takes_answers=True)
    receiver.replies(answers(500, {"method": "sendMessage"}))
    delivery_of(endpoint, 1)
    work(worker, NOON)
    assert telegram.calls("sendMessage") == []


def test_others_hear_of_a_delivery_and_of_an_answered_press(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    delivered: list[int] = []
    answered: list[str] = []
    change(endpoint, takes_answers=True)
    said = {"method": "answerCallbackQuery", "callback_query_id": "77"}
    receiver.replies(answers(500), answers(200, said))
    delivery = delivery_of(endpoint, 1)
    with a_deliverer(hooks=Hooks(delivered.append, answered.append)) as worker:
        work(worker, NOON)
        assert (delivered, answered) == ([], [])
        work(worker, NOON + MINUTE)
    assert (delivered, answered) == ([delivery.update_seq], ["77"])


# What may start


def hold(bot_id: ULID, endpoint: Endpoint, how: str) -> None:
    if how == "endpoint":
        change(endpoint, paused_because="person")
    elif how == "bot":
        make_reception(bot_id, is_paused=True)
    else:
        with writing() as session:
            session.get_one(Bot, bot_id).disabled_at = NOON


@pytest.mark.parametrize("how", ["endpoint", "bot", "disabled"])
def test_a_pause_holds_deliveries_and_loses_none(
    worker: Deliverer, bot_id: ULID, endpoint: Endpoint, how: str
) -> None:
    delivery = delivery_of(endpoint, 1)
    hold(bot_id, endpoint, how)
    assert work(worker, NOON) == 0
    assert now_is(delivery).state is State.DUE


def test_what_is_not_due_yet_waits(worker: Deliverer, endpoint: Endpoint) -> None:
    delivery_of(endpoint, 1, next_at=NOON + SECOND)
    assert work(worker, NOON) == 0
    assert work(worker, NOON + SECOND) == 1


def test_one_chat_is_delivered_one_after_another_and_others_beside_it(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    first, second = delivery_of(endpoint, 9), delivery_of(endpoint, 3)
    other = delivery_of(endpoint, 4, chat_id=2)
    claimed = worker.claim(10, NOON)
    assert [one.seq for one in claimed] == [first.seq, other.seq]
    assert worker.claim(10, NOON) == []
    worker.attempt(claimed[0], NOON)
    assert [one.seq for one in worker.claim(10, NOON)] == [second.seq]


def test_updates_of_no_chat_and_no_user_keep_no_order(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    for number in (1, 2, 3):
        raw = b'{"update_id":%d,"poll":{"id":"1"}}' % number
        make_delivery(endpoint, raw, at=NOON, next_at=NOON)
    assert len(worker.claim(10, NOON)) == 3


def test_a_failing_update_holds_its_chat_for_ten_minutes_only(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    poison, second = delivery_of(endpoint, 1), delivery_of(endpoint, 2)
    receiver.always = lambda got: answers(500 if got.update_id == 1 else 200)
    now = NOON
    while now < NOON + 9 * MINUTE:
        work(worker, now)
        now += MINUTE
    assert now_is(second).state is State.DUE
    work(worker, NOON + 11 * MINUTE)
    work(worker, NOON + 11 * MINUTE)
    assert now_is(second).state is State.DELIVERED
    assert now_is(poison).state is State.DUE
    third = delivery_of(endpoint, 3, at=NOON + 12 * MINUTE)
    work(worker, NOON + 12 * MINUTE)
    assert now_is(third).state is State.DELIVERED


@pytest.mark.given(DELIVERY_HOLD_MINUTES="0")
def test_with_0_minutes_a_failing_update_holds_its_chat_until_the_schedule_ends(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.always = lambda got: answers(500 if got.update_id == 1 else 200)
    poison, second, now = delivery_of(endpoint, 1), delivery_of(endpoint, 2), NOON
    while now_is(poison).state is not State.DEAD:
        assert now_is(second).state is State.DUE
        assert work(worker, now) == 1
        now = now_is(poison).next_at or now
    work(worker, now)
    assert now_is(second).state is State.DELIVERED


def test_a_failing_endpoint_neither_holds_up_nor_repeats_to_another(
    worker: Deliverer, bot_id: ULID, receiver: Receiver
) -> None:
    with Receiver() as bad:
        bad.always = answers(500)
        good, failing = endpoint_at(bot_id, receiver, "a"), endpoint_at(bot_id, bad, "b")
        many(good, [(number, 1) for number in range(1, 4)])
        for number in range(4, 7):
            delivery_of(failing, number)
        for step in range(10):
            work(worker, NOON + step * MINUTE / 10)
        assert [got.update_id for got in receiver.requests] == [1, 2, 3]
        assert {got.update_id for got in bad.requests} == {4}


def test_at_most_16_of_one_endpoint_are_under_way_over_all_workers(
    worker: Deliverer, bot_id: ULID, endpoint: Endpoint, receiver: Receiver
) -> None:
    many(endpoint, [(number, number) for number in range(1, 41)])
    with a_deliverer() as other:
        first = [*worker.claim(10, NOON), *other.claim(10, NOON)]
        assert len(first) == 16
        assert worker.claim(10, NOON) == other.claim(10, NOON) == []
        beside = delivery_of(endpoint_at(bot_id, receiver, "b"), 99)
        assert [one.seq for one in other.claim(10, NOON)] == [beside.seq]
        worker.attempt(first[0], NOON)
        assert len(other.claim(10, NOON)) == 1


def test_every_chat_gets_its_turn_although_the_first_ones_never_run_dry(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    many(endpoint, [(chat * 100 + turn, chat) for chat in range(1, 21) for turn in range(5)])
    for _ in range(5):
        work(worker, NOON, limit=4)
    assert {got.update_id // 100 for got in receiver.requests} == set(range(1, 21))


def test_a_backlog_drains_at_its_pace_and_what_is_new_goes_ahead(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    many(endpoint, [(number, number) for number in range(1, 31)])
    change(endpoint, drain_until_seq=30)
    new = delivery_of(endpoint, 99, chat_id=99)
    assert work_all(worker, NOON) == 11
    assert now_is(new).state is State.DELIVERED
    assert work_all(worker, NOON + SECOND / 2) == 0
    assert work_all(worker, NOON + SECOND) == 10
    assert work_all(worker, NOON + 2 * SECOND) == 10
    many(endpoint, [(number, number) for number in range(101, 141)])
    assert work_all(worker, NOON + 2 * SECOND) == 40


def test_the_drain_is_over_when_its_backlog_is_done(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    many(endpoint, [(1, 1), (2, 1)])
    change(endpoint, drain_until_seq=2)
    work_all(worker, NOON)
    delivery_of(endpoint, 3, next_at=NOON + SECOND)
    receiver.replies(answers(500))
    work_all(worker, NOON + SECOND)
    work_all(worker, NOON + 2 * SECOND)
    delivery_of(endpoint, 4, next_at=NOON)
    work_all(worker, NOON + 2 * SECOND)
    assert endpoint_now(endpoint).drain_until_seq is None


# Because of what has just happened


def test_what_is_new_is_claimed_and_nothing_else(worker: Deliverer, endpoint: Endpoint) -> None:
    old, new = delivery_of(endpoint, 1), delivery_of(endpoint, 2, chat_id=2)
    later = delivery_of(endpoint, 3, chat_id=3, next_at=NOON + SECOND)
    news = News([new.update_seq, later.update_seq])
    [claimed] = worker.claim_near(news, 10, NOON)
    [beside] = worker.claim(10, NOON)
    assert (claimed.seq, beside.seq) == (new.seq, old.seq)
    assert claimed.raw == an_update(2, chat_id=2)


def test_what_is_new_waits_for_its_chat_and_follows_it(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    first, second = delivery_of(endpoint, 1), delivery_of(endpoint, 2)
    assert worker.claim_near(News([second.update_seq]), 10, NOON) == []
    [claimed] = worker.claim_near(News([first.update_seq, second.update_seq]), 10, NOON)
    ended = worker.send(claimed, NOON)
    worker.keep([ended])
    assert ended.leaves_more
    [following] = worker.claim_near(News(ended={ended.seq: ended.endpoint_id}), 10, NOON)
    assert following.seq == second.seq
    ended = worker.send(following, NOON)
    worker.keep([ended])
    assert not ended.leaves_more


def test_what_is_new_waits_behind_a_failing_update_of_its_chat(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.always = answers(500)
    delivery_of(endpoint, 1)
    assert work(worker, NOON) == 1
    new = delivery_of(endpoint, 2)
    assert worker.claim_near(News([new.update_seq]), 10, NOON) == []


def test_what_is_new_at_a_paused_endpoint_or_of_a_disabled_bot_waits(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    new = delivery_of(endpoint, 1)
    change(endpoint, paused_because="person")
    assert worker.claim_near(News([new.update_seq]), 10, NOON) == []
    change(endpoint, paused_because=None)
    with writing() as session:
        session.get_one(Bot, endpoint.bot_id).disabled_at = NOON
    assert worker.claim_near(News([new.update_seq]), 10, NOON) == []


def test_what_is_new_goes_ahead_of_a_backlog_that_drains(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    old = delivery_of(endpoint, 1)
    change(endpoint, drain_until_seq=old.seq)
    new = delivery_of(endpoint, 2, chat_id=2)
    news = News([old.update_seq, new.update_seq])
    assert [one.seq for one in worker.claim_near(news, 10, NOON)] == [new.seq]


def test_what_is_new_takes_no_more_places_than_there_are(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    new = [delivery_of(endpoint, number, chat_id=number) for number in range(1, 21)]
    news = News([one.update_seq for one in new])
    with a_deliverer() as other:
        taken = other.claim(10, NOON)
        first = worker.claim_near(news, 100, NOON)
        assert len(first) == 6
        assert worker.claim_near(news, 100, NOON) == []
        other.attempt(taken[0], NOON)
        [following] = worker.claim_near(News(freed={first[0].endpoint_id}), 100, NOON)
        assert following.seq not in {one.seq for one in [*taken, *first]}


def test_two_workers_cannot_both_claim_what_is_new(worker: Deliverer, endpoint: Endpoint) -> None:
    news = News([delivery_of(endpoint, 1).update_seq])
    with a_deliverer() as other:
        assert len(worker.claim_near(news, 10, NOON)) == 1
        assert other.claim_near(news, 10, NOON) == []


# Leases


def test_a_claim_is_nobody_elses_until_its_lease_runs_out(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    delivery_of(endpoint, 1)
    with a_deliverer() as dead:
        [lost] = dead.claim(10, NOON)
        assert worker.claim(10, NOON + 29 * SECOND) == []
        [again] = worker.claim(10, NOON + 31 * SECOND)
        assert (again.seq, again.number) == (lost.seq, 1)


def test_who_lost_its_lease_has_no_say_any_more(
    worker: Deliverer, endpoint: Endpoint, receiver: Receiver
) -> None:
    delivery = delivery_of(endpoint, 1)
    with a_deliverer() as slow:
        [lost] = slow.claim(10, NOON)
        worker.claim(10, NOON + 31 * SECOND)
        receiver.replies(answers(500))
        slow.attempt(lost, NOON)
    assert now_is(delivery).state is State.CLAIMED
    assert now_is(delivery).lease_owner == worker.owner
    assert len(attempts_of(delivery)) == 1


def test_what_a_dead_worker_held_is_taken_back_at_once_and_a_living_ones_is_not(
    worker: Deliverer, endpoint: Endpoint
) -> None:
    many(endpoint, [(1, 1), (2, 2)])
    with a_deliverer() as dead, a_deliverer() as living:
        [lost], [kept] = dead.claim(1, NOON), living.claim(1, NOON)
        assert worker.release(dead.owner) == 1
        assert [one.seq for one in worker.claim(10, NOON)] == [lost.seq]
        assert kept.seq != lost.seq


def test_the_raw_update_is_in_no_repr(worker: Deliverer, endpoint: Endpoint) -> None:
    make_delivery(endpoint, an_update(1, "rahasia"), at=NOON, next_at=NOON)
    [claimed] = worker.claim(1, NOON)
    assert "rahasia" not in repr(claimed)
    assert endpoint.sealed_secret not in repr(claimed)
