"""What a receiver's answer asks for leaves at the pace that its bot keeps, and no thread waits."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from flask import Flask
from sqlalchemy import select
from ulid import ULID

from tests.fakes.receiver import Got, Receiver, answers
from tests.fakes.telegram import TOKEN, FakeTelegram, Recorded, Reply, refusal, reply
from tests.live.listening import wait_until
from tests.making import make_team
from tests.webhook.delivering import (
    NOON,
    a_deliverer,
    attempts_of,
    delivery_of,
    endpoint_at,
    now_is,
    work,
    work_all,
)
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER, writing
from tgm.extensions import db, runtime
from tgm.proxy.jobs import MOST_OPEN_BYTES
from tgm.proxy.models import SendJob
from tgm.shared.clock import utcnow
from tgm.webhook import outcomes
from tgm.webhook.delivery import Deliverer, Hooks
from tgm.webhook.models import Delivery, Endpoint, State
from tgm.webhook.owners import Owner

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")

CHAT = 5


@pytest.fixture
def bot(app: Flask) -> Bot:
    bot = bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)
    return bots.keep_pace(bot.team_id, bot.id, True, COMMAND_LINE)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """It answers each update with a message that tells its number."""

    def answer(got: Got) -> Reply:
        said = {"method": "sendMessage", "chat_id": CHAT, "text": str(got.update_id)}
        return answers(200, said)

    with Receiver() as receiver:
        receiver.always = answer
        yield receiver


@pytest.fixture
def endpoint(bot: Bot, receiver: Receiver) -> Endpoint:
    return endpoint_at(bot.id, receiver, takes_answers=True)


@pytest.fixture
def worker(app: Flask, telegram: FakeTelegram) -> Iterator[Deliverer]:
    telegram.requests.clear()
    with a_deliverer() as deliverer:
        yield deliverer


@pytest.fixture
def sending(app: Flask) -> Iterator[Callable[[], None]]:
    """Serve, as far as sending goes."""
    yield lambda: runtime.sending.start(Owner(runtime.settings.instance_path, "senders"))
    runtime.sending.stop()


def texts(telegram: FakeTelegram) -> list[str]:
    return [json.loads(call.body)["text"] for call in telegram.calls("sendMessage")]


def called(delivery: Delivery) -> str | None:
    return attempts_of(delivery)[-1].called


def told(delivery: Delivery) -> str | None:
    """Return what the attempt tells once the background has looked."""
    ended = runtime.sending.ended_answers(NOON)
    outcomes.tell(db.engine, db.engines[WRITER], ended)
    return called(delivery)


def jobs() -> list[SendJob]:
    db.session.rollback()
    return list(db.session.scalars(select(SendJob).order_by(SendJob.seq)))


def pause(bot: Bot, seconds: float) -> None:
    runtime.sending.pace.pause(runtime.sending.room.clock(), str(bot.id), seconds)


def test_the_first_leaves_at_once_and_the_rest_in_their_turns_and_in_order(
    endpoint: Endpoint, worker: Deliverer, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    arrivals: list[float] = []

    def answer(_call: Recorded) -> Reply:
        arrivals.append(time.monotonic())
        return reply({"ok": True, "result": True})

    telegram.always("sendMessage", answer)
    sending()
    deliveries = [delivery_of(endpoint, number, CHAT) for number in range(1, 5)]
    assert work_all(worker, NOON) == 4
    assert {now_is(each).state for each in deliveries} == {State.DELIVERED}
    assert [called(each) for each in deliveries] == ["sendMessage ok"] + ["sendMessage queued"] * 3
    wait_until(lambda: len(arrivals) == 4, "all have left")
    assert texts(telegram) == ["1", "2", "3", "4"]
    # Each takes a moment from its turn to Telegram.
    assert all(later - earlier > 0.5 for earlier, later in pairwise(arrivals)), arrivals
    wait_until(lambda: {told(each) for each in deliveries} == {"sendMessage ok"}, "it is told")


def test_none_overtakes_what_waits_for_the_same_chat(
    endpoint: Endpoint, worker: Deliverer, telegram: FakeTelegram, sending: Callable[[], None]
) -> None:
    delivery_of(endpoint, 1, CHAT)
    # A process that only delivers leaves all to those that serve: they keep the pace.
    assert work(worker, NOON) == 1
    (first,) = jobs()
    assert (first.state, first.chat, first.messages) == ("queued", str(CHAT), 1)
    assert json.loads(first.body or b"") == {"chat_id": CHAT, "text": "1"}
    # As after a while without a connection to Telegram.
    with writing() as session:
        session.get_one(SendJob, first.seq).due_at = utcnow() + timedelta(minutes=1)
    sending()
    second = delivery_of(endpoint, 2, CHAT)
    work(worker, NOON)
    assert called(second) == "sendMessage queued"
    assert texts(telegram) == []
    assert [job.seq for job in jobs()] == [1, 2]


def test_a_429_pauses_the_bot_and_queues_what_telegram_would_not_take(
    bot: Bot,
    endpoint: Endpoint,
    worker: Deliverer,
    telegram: FakeTelegram,
    sending: Callable[[], None],
) -> None:
    sending()
    telegram.replies(refusal(429, "Too Many Requests: retry after 1", retry_after=1))
    delivery = delivery_of(endpoint, 1, CHAT)
    work(worker, NOON)
    assert called(delivery) == "sendMessage queued"
    assert 0 < runtime.sending.pace.paused_for(runtime.sending.room.clock(), str(bot.id)) <= 1
    wait_until(lambda: told(delivery) == "sendMessage ok", "it is sent after the pause")
    assert texts(telegram) == ["1", "1"]


def test_what_telegram_says_in_the_end_is_told(
    bot: Bot,
    endpoint: Endpoint,
    worker: Deliverer,
    telegram: FakeTelegram,
    sending: Callable[[], None],
) -> None:
    pause(bot, 1)
    delivery = delivery_of(endpoint, 1, CHAT)
    sending()
    telegram.replies(refusal(403, "Forbidden: bot was blocked by the user"))
    work(worker, NOON)
    assert called(delivery) == "sendMessage queued"
    refused = "sendMessage 403 Forbidden: bot was blocked by the user"
    wait_until(lambda: told(delivery) == refused, "it is told")


def test_an_answer_that_is_given_again_is_queued_once(
    bot: Bot, endpoint: Endpoint, receiver: Receiver, worker: Deliverer
) -> None:
    pause(bot, 60)
    delivery_of(endpoint, 1, CHAT)
    (claimed,) = worker.claim(10, NOON)
    worker.send(claimed, NOON)
    # Whoever delivered it has died before that was kept.
    said = {"method": "sendMessage", "chat_id": CHAT, "text": "another one"}
    receiver.replies(answers(200, said))
    worker.send(claimed, NOON)
    (job,) = jobs()
    assert json.loads(job.body or b"")["text"] == "1"


@pytest.mark.parametrize("change", [{"takes_answers": False}, {"paused_because": "key"}])
def test_what_an_endpoint_may_ask_for_no_more_is_not_sent(
    endpoint: Endpoint,
    worker: Deliverer,
    telegram: FakeTelegram,
    sending: Callable[[], None],
    change: dict[str, object],
) -> None:
    delivery = delivery_of(endpoint, 1, CHAT)
    work(worker, NOON)
    with writing() as session:
        for name, value in change.items():
            setattr(session.get_one(Endpoint, endpoint.id), name, value)
    sending()
    wait_until(lambda: told(delivery) == "sendMessage failed: key_refused", "it is told")
    assert texts(telegram) == []


def test_where_the_queue_is_full_the_attempt_says_so(
    bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    first, second = (delivery_of(endpoint, number, CHAT) for number in (1, 2))
    work(worker, NOON)
    with writing() as session:
        session.get_one(SendJob, 1).size = MOST_OPEN_BYTES
    work(worker, NOON)
    full = "refused: Too Many Requests: 64 MB of calls of this bot are queued already"
    assert [called(first), called(second)] == ["sendMessage queued", f"sendMessage {full}"]


def test_a_press_whose_answer_is_queued_is_left_to_it(
    bot: Bot, endpoint: Endpoint, receiver: Receiver
) -> None:
    pause(bot, 60)
    heard: list[str] = []
    said = {"method": "answerCallbackQuery", "callback_query_id": "77", "text": "Siap"}
    receiver.replies(answers(200, said))
    delivery = delivery_of(endpoint, 1, CHAT)
    with a_deliverer(hooks=Hooks(answered=heard.append)) as worker:
        work(worker, NOON)
    assert (heard, called(delivery)) == (["77"], "answerCallbackQuery queued")


def test_a_bot_that_keeps_no_pace_answers_at_once(
    bot: Bot, endpoint: Endpoint, worker: Deliverer, telegram: FakeTelegram
) -> None:
    bots.keep_pace(bot.team_id, bot.id, False, COMMAND_LINE)
    for number in (1, 2, 3):
        delivery_of(endpoint, number, CHAT)
    telegram.replies(refusal(429, "Too Many Requests: retry after 9", retry_after=9))
    work_all(worker, NOON)
    assert texts(telegram) == ["1", "2", "3"]
    assert jobs() == []


def test_the_queue_of_answers_stands_in_no_program_s_name(
    bot: Bot, endpoint: Endpoint, worker: Deliverer
) -> None:
    delivery = delivery_of(endpoint, 1, CHAT)
    work(worker, NOON)
    (job,) = jobs()
    assert (job.endpoint_id, job.token) == (endpoint.id, str(delivery.id))
    assert runtime.sending.queued(ULID.from_str(str(bot.id))) == 1
    assert runtime.sending.ended_answers(utcnow()) == []
