"""Several serving processes on one database are one to a program that polls."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.dropin.asking import PATIENCE, ask, ids
from tests.dropin.conftest import Library
from tests.fakes.process import process
from tests.fakes.receiver import Receiver
from tests.fakes.serving import Got
from tests.live.listening import wait_until
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.dropin.consumers import Consumers
from tgm.dropin.models import Consumer
from tgm.dropin.tokens import virtual_token
from tgm.extensions import db

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8", RATE_LIMIT_PER_MINUTE="1000")


@pytest.fixture
def pair(
    bot: Bot, key: str, environ: dict[str, str], tmp_path: Path
) -> Iterator[tuple[Library, Library]]:
    """One program, as it speaks to each of two processes."""
    token = virtual_token(bot.telegram_id, key).value
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(process(environ, tmp_path / f"log-{name}")) for name in "ab"
        )
        yield Library(first.served, token), Library(second.served, token)


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Got]]]:
    with ThreadPoolExecutor(8) as pool:
        yield lambda *args, **more: pool.submit(*args, **more)


def poll_of(first: Library, in_background: Callable[..., Future[Got]]) -> Future[Got]:
    """Begin a long poll, and wait until its process has it."""
    before = holder()
    poll = in_background(ask, first, timeout=50)
    wait_until(lambda: holder() != before, "the poll is held")
    return poll


def holder() -> object:
    db.session.rollback()
    return db.session.query(Consumer.holder).scalar()


def test_a_poll_ends_the_one_that_another_process_holds(
    pair: tuple[Library, Library],
    in_background: Callable[..., Future[Got]],
    arrive: Callable[..., None],
) -> None:
    first, second = pair
    # Back and forth: the one that came last is always the one that stays.
    held = poll_of(first, in_background)
    for other in (second, first, second):
        newer = poll_of(other, in_background)
        ended = held.result(PATIENCE)
        assert ended.status == 409
        assert ended.json["description"].startswith("Conflict: terminated by other getUpdates")
        held = newer
    arrive(1)
    assert ids(held.result(PATIENCE)) == [1]


def test_a_webhook_set_at_another_process_ends_it_too(
    pair: tuple[Library, Library], in_background: Callable[..., Future[Got]]
) -> None:
    first, second = pair
    held = poll_of(first, in_background)
    with Receiver() as receiver:
        assert ask(second, "setWebhook", url=receiver.url).status == 200
        ended = held.result(PATIENCE)
    assert ended.status == 409
    assert ended.json["description"] == "Conflict: terminated by setWebhook request"


def test_what_another_process_has_handed_out_is_confirmed_and_does_not_come_again(
    pair: tuple[Library, Library], arrive: Callable[..., None]
) -> None:
    first, second = pair
    assert ids(ask(first)) == []
    arrive(1)
    assert ids(ask(first)) == [1]
    arrive(2, 3)
    assert ids(ask(second, offset=2)) == [2, 3]
    assert ids(ask(first, offset=4)) == []


def test_a_program_that_stays_with_one_process_writes_nothing_about_it(
    bot: Bot, library: Library
) -> None:
    assert ids(ask(library)) == []
    first = db.session.query(Consumer.holder, Consumer.polled_at).one()
    assert ids(ask(library)) == []
    db.session.rollback()
    assert db.session.query(Consumer.holder, Consumer.polled_at).one() == first
    assert Consumers(db.engine, db.engines[WRITER]).id != str(first.holder)
