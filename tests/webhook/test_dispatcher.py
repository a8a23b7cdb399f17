"""The worker in its threads, alone and beside another."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from ulid import ULID

from tests.ending import PATIENCE, first_line, join
from tests.fakes.receiver import Got, Receiver, answers, hangs
from tests.fakes.telegram import TOKEN, Reply
from tests.making import make_team
from tests.webhook.delivering import (
    NOON,
    a_deliverer,
    attempts_of,
    delivery_of,
    endpoint_at,
    many,
    now_is,
    shuffled,
    work,
)
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.extensions import db, runtime
from tgm.settings import PROJECT
from tgm.shared.clock import utcnow
from tgm.webhook.delivery import Deliverer
from tgm.webhook.dispatcher import Dispatcher
from tgm.webhook.models import Attempt, Delivery, Endpoint, State
from tgm.webhook.owners import Owner

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")


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


@contextmanager
def dispatching(instance: Path, *, look_seconds: float = 0.25) -> Iterator[Dispatcher]:
    """A worker that has started."""
    owner = Owner(instance)
    with a_deliverer(owner.id) as deliverer:
        dispatcher = Dispatcher(deliverer, owner, look_seconds=look_seconds)
        dispatcher.start()
        yield dispatcher
        dispatcher.stop()


def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        threading.Event().wait(0.01)


def left() -> int:
    db.session.rollback()
    query = select(func.count()).where(Delivery.state != State.DELIVERED)
    return db.session.scalar(query) or 0


def assert_in_order(got: list[Got]) -> None:
    """A chat's update arrives only after those before it have been taken; repeats do not count."""
    seen: dict[int, list[int]] = defaultdict(list)
    for one in got:
        chat = one.json["message"]["chat"]["id"]
        if one.update_id not in seen[chat]:
            seen[chat].append(one.update_id)
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def test_something_new_is_delivered_without_waiting_for_a_look(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    with dispatching(runtime.settings.instance_path, look_seconds=60) as dispatcher:
        delivery_of(endpoint, 1, at=utcnow())
        dispatcher.wake()
        receiver.wait_for(1)
        waits = []
        for number in range(2, 22):
            delivery_of(endpoint, number, at=utcnow())
            begun = time.monotonic()
            dispatcher.wake()
            receiver.wait_for(number)
            waits.append(time.monotonic() - begun)
    assert sorted(waits)[10] < 0.05


def seqs(endpoint: Endpoint) -> list[int]:
    """The numbers of all updates on their way to an endpoint."""
    db.session.rollback()
    query = select(Delivery.update_seq).where(Delivery.endpoint_id == endpoint.id)
    return list(db.session.scalars(query.order_by(Delivery.seq)))


@contextmanager
def at_rest(app: Flask) -> Iterator[Dispatcher]:
    """A worker that has looked once, and looks at all no more."""
    with dispatching(runtime.settings.instance_path, look_seconds=60) as dispatcher:
        until(lambda: not dispatcher._wants_all)
        yield dispatcher


def test_what_has_come_is_delivered_without_a_look_at_anything_else(
    app: Flask, bot_id: ULID, endpoint: Endpoint, receiver: Receiver
) -> None:
    with Receiver() as beside, at_rest(app) as dispatcher:
        elsewhere = endpoint_at(bot_id, beside, "beside")
        untold = delivery_of(elsewhere, 1, at=utcnow())
        dispatcher.arrived([delivery_of(endpoint, 2, at=utcnow()).update_seq])
        receiver.wait_for(1)
        until(lambda: left() == 1)
        assert beside.requests == []
        dispatcher.wake()
        beside.wait_for(1)
        assert beside.requests[0].update_id == 1
        until(lambda: now_is(untold).state is State.DELIVERED)


def test_the_next_of_a_chat_follows_when_the_one_before_has_ended(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    with at_rest(app) as dispatcher:
        many(endpoint, [(number, number % 2) for number in range(1, 21)], at=utcnow())
        dispatcher.arrived(seqs(endpoint))
        receiver.wait_for(20)
        until(lambda: left() == 0)
    assert_in_order(receiver.requests)


def test_what_found_no_place_at_its_endpoint_follows_when_there_is_one(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    gate = threading.Event()
    receiver.always = hangs(gate)
    with at_rest(app) as dispatcher:
        for first in (1, 21):
            many(endpoint, [(number, number) for number in range(first, first + 20)], at=utcnow())
            dispatcher.arrived(seqs(endpoint)[first - 1 :])
        receiver.wait_for(16)
        receiver.always = answers(200)
        assert len(receiver.requests) == 16
        gate.set()
        receiver.wait_for(40)
        until(lambda: left() == 0)
    assert len(receiver.requests) == 40


def test_more_at_once_than_one_by_one_pays_for_is_delivered_all_the_same(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    with at_rest(app) as dispatcher:
        many(endpoint, shuffled(500, 20, seed=9), at=utcnow())
        dispatcher.arrived(seqs(endpoint))
        receiver.wait_for(500)
        until(lambda: left() == 0)
    assert_in_order(receiver.requests)


def test_without_a_wake_it_looks_by_itself(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    with dispatching(runtime.settings.instance_path, look_seconds=0.05):
        delivery_of(endpoint, 1, at=utcnow())
        receiver.wait_for(1)


def test_a_receiver_that_hangs_holds_up_nobody_else(
    app: Flask, bot_id: ULID, endpoint: Endpoint, receiver: Receiver
) -> None:
    gate = threading.Event()
    with Receiver() as stuck:
        stuck.always = hangs(gate)
        many(endpoint_at(bot_id, stuck, "stuck"), [(n, n) for n in range(1, 41)], at=utcnow())
        with dispatching(runtime.settings.instance_path) as dispatcher:
            stuck.wait_for(16)
            many(endpoint, [(n, n) for n in range(101, 201)], at=utcnow())
            dispatcher.wake()
            receiver.wait_for(100)
            assert len(stuck.requests) == 16
            gate.set()
            stuck.wait_for(40)


def next_due(after: datetime) -> datetime | None:
    """When something is due next, None when all are done."""
    db.session.rollback()
    query = select(func.min(Delivery.next_at))
    return db.session.scalar(query.where(Delivery.state == State.DUE, Delivery.next_at > after))


@pytest.mark.given(DELIVERY_HOLD_MINUTES="0")
def test_order_holds_for_two_workers_although_deliveries_fail_at_random(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    """Two workers in two threads live through the same hours, with failures among the answers."""
    chance = random.Random(7)
    taken: list[int] = []
    lock = threading.Lock()

    def judge(got: Got) -> Reply:
        with lock:
            if chance.random() < 0.3:
                return answers(500)
            taken.append(got.update_id)
            return answers(200)

    receiver.always = judge
    updates = shuffled(300, 7, seed=3)
    many(endpoint, updates)
    failures: list[BaseException] = []

    def run(deliverer: Deliverer, now: datetime) -> None:
        try:
            while work(deliverer, now, limit=5):
                pass
        except BaseException as error:
            failures.append(error)
            raise

    with a_deliverer() as one, a_deliverer() as two:
        now: datetime | None = NOON
        while now is not None:
            threads = [threading.Thread(target=run, args=(each, now)) for each in (one, two)]
            for thread in threads:
                thread.start()
            join(*threads)
            # Where both want the same rows at once, both may come away with nothing.
            run(one, now)
            now = next_due(after=now)
    assert (failures, left()) == ([], 0)
    assert len(receiver.requests) > len(updates)
    for chat in range(1, 8):
        numbers = [number for number, where in updates if where == chat]
        assert [number for number in taken if number in numbers] == numbers


def test_two_dispatchers_of_a_process_deliver_without_a_repeat(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    count = 3000
    many(endpoint, shuffled(count, 300, seed=5), at=utcnow())
    begun = time.monotonic()
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(dispatching(runtime.settings.instance_path))
        receiver.wait_for(count, timeout=60)
        until(lambda: left() == 0)
    seconds = time.monotonic() - begun
    assert len(receiver.requests) == count
    assert Counter(got.headers["webhook-id"] for got in receiver.requests).most_common(1)[0][1] == 1
    assert_in_order(receiver.requests)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Attempt)) == count
    print(f"{count / seconds:.0f} deliveries a second")


_WORKER = """
import sys, threading
from tests.webhook.delivering import a_deliverer
from tgm import create_app
from tgm.extensions import runtime
from tgm.settings import Settings
from tgm.webhook.dispatcher import Dispatcher
from tgm.webhook.owners import Owner

app = create_app(Settings.load({"INSTANCE_PATH": sys.argv[1],
                                "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}, dotenv=None))
with app.app_context():
    owner = Owner(runtime.settings.instance_path)
    with a_deliverer(owner.id) as deliverer:
        dispatcher = Dispatcher(deliverer, owner)
        dispatcher.start()
        print(owner.id, flush=True)
        sys.stdin.read()
        dispatcher.stop()
"""


@contextmanager
def process(instance: Path) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own, which ends when its input does."""
    popen = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(instance)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield popen
        popen.communicate("", timeout=30)
    finally:
        popen.kill()
        popen.wait(PATIENCE)
        for stream in (popen.stdin, popen.stdout):
            if stream is not None:
                stream.close()


def test_two_processes_deliver_ten_thousand_without_a_repeat(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    count = 10_000
    many(endpoint, shuffled(count, 300, seed=6), at=utcnow())
    with ExitStack() as stack:
        workers = [stack.enter_context(process(runtime.settings.instance_path)) for _ in range(2)]
        assert all(first_line(worker) for worker in workers)
        receiver.wait_for(count, timeout=60)
        until(lambda: left() == 0)
    assert Counter(got.update_id for got in receiver.requests) == dict.fromkeys(
        range(1, count + 1), 1
    )
    assert_in_order(receiver.requests)


def test_a_start_takes_back_what_a_killed_process_held_and_leaves_the_living_alone(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    gate = threading.Event()
    receiver.always = hangs(gate)
    instance = runtime.settings.instance_path
    many(endpoint, [(1, 1), (2, 2)], at=utcnow())
    living = Owner(instance)
    with a_deliverer(living.id) as other:
        [kept] = other.claim(1, utcnow())
        with process(instance) as killed:
            receiver.wait_for(1)
            killed.kill()
            killed.wait(PATIENCE)
            receiver.always = answers(200)
            with dispatching(instance):
                # Long before the lease runs out.
                receiver.wait_for(2, timeout=5)
                until(lambda: left() == 1)
        db.session.rollback()
        row = db.session.get_one(Delivery, kept.seq)
        assert (row.state, row.lease_owner) == (State.CLAIMED, living.id)
    living.close()
    gate.set()


def test_stopping_lets_what_is_under_way_end(
    app: Flask, endpoint: Endpoint, receiver: Receiver
) -> None:
    gate = threading.Event()
    receiver.always = hangs(gate)
    delivery = delivery_of(endpoint, 1, at=utcnow())
    with dispatching(runtime.settings.instance_path):
        receiver.wait_for(1)
        threading.Timer(0.1, gate.set).start()
    assert now_is(delivery).state is State.DELIVERED
    assert len(attempts_of(delivery)) == 1


def test_an_owner_without_its_lock_is_dead(tmp_path: Path) -> None:
    dead, living, mine = Owner(tmp_path), Owner(tmp_path), Owner(tmp_path)
    dead.close()
    released: list[str] = []
    assert mine.bury(released.append) == [dead.id] == released
    assert mine.bury(released.append) == []
    assert not (tmp_path / "workers" / dead.id).exists()
    assert (tmp_path / "workers" / living.id).exists()
    for each in (living, mine):
        each.close()
