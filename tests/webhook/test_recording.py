"""Attempts that end together share a commit, and not each other's fate."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import event

from tests.fakes.receiver import Receiver
from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tests.webhook.delivering import NOON, a_deliverer, delivery_of, endpoint_at, now_is
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.database import WRITER
from tgm.extensions import db
from tgm.webhook.claimed import Claimed
from tgm.webhook.delivery import Deliverer
from tgm.webhook.models import Delivery, Endpoint, State
from tgm.webhook.recording import Ended

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")


@pytest.fixture
def endpoint(app: Flask) -> Iterator[Endpoint]:
    with Receiver() as receiver:
        bot = bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)
        yield endpoint_at(bot.id, receiver)


@pytest.fixture
def worker(app: Flask) -> Iterator[Deliverer]:
    with a_deliverer() as deliverer:
        yield deliverer


def ended(claimed: Claimed, **attempt: object) -> Ended:
    row: dict[str, object] = {
        "delivery_seq": claimed.seq,
        "number": claimed.number,
        "at": NOON,
        "milliseconds": 1,
        "status": 200,
        "error": None,
        "signature": "",
        "response_headers": None,
        "response_body": None,
        "called": None,
        **attempt,
    }
    return Ended(
        claimed.seq, claimed.endpoint_id, NOON, row, State.DELIVERED, None, None, problem=None
    )


def commits() -> list[object]:
    """Return the list that each commit from now on is added to."""
    seen: list[object] = []
    event.listen(db.engines[WRITER], "commit", seen.append)
    return seen


def test_those_that_end_together_share_a_commit(endpoint: Endpoint, worker: Deliverer) -> None:
    deliveries = [delivery_of(endpoint, number, chat_id=number) for number in range(1, 11)]
    all_of_them = [ended(one) for one in worker.claim(10, NOON)]
    seen = commits()
    worker.keep(all_of_them)
    assert len(seen) == 1
    assert all(one.is_kept for one in all_of_them)
    assert {now_is(each).state for each in deliveries} == {State.DELIVERED}


def test_one_that_cannot_be_kept_takes_no_other_with_it(
    endpoint: Endpoint, worker: Deliverer
) -> None:
    deliveries = [delivery_of(endpoint, number, chat_id=number) for number in range(1, 6)]
    claimed = worker.claim(10, NOON)
    all_of_them = [ended(one) for one in claimed]
    all_of_them[2].attempt["signature"] = None
    worker.keep(all_of_them)
    assert [one.is_kept for one in all_of_them] == [True, True, False, True, True]
    states = [now_is(each).state for each in deliveries]
    assert states.count(State.DELIVERED) == 4
    assert db.session.get_one(Delivery, claimed[2].seq).state is State.CLAIMED
