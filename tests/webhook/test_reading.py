"""What the screens read must stay quick with millions of deliveries."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event
from ulid import ULID

from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tests.webhook.rows import an_update, make_delivery, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db
from tgm.shared.clock import utcnow
from tgm.webhook import reading
from tgm.webhook.models import State
from tgm.webhook.reading import Search


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


def plans(read: Callable[[], object]) -> list[str]:
    """Return how SQLite goes about each query about deliveries."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_c: object, _k: object, statement: str, given: tuple[object, ...], *_: object) -> None:
        asked.append((statement, given))

    event.listen(db.engine, "before_cursor_execute", note)
    read()
    event.remove(db.engine, "before_cursor_execute", note)
    connection = db.session.connection()
    return [
        "; ".join(
            row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", given)
        )
        for query, given in asked
        if "deliveries" in query
    ]


@pytest.mark.parametrize("state", [None, State.DELIVERED])
@pytest.mark.parametrize("chat", [None, 523067421])
def test_a_page_is_read_from_the_newest_on_and_never_sorted(
    team: ULID, bot: Bot, state: State | None, chat: int | None
) -> None:
    for wanted in (Search(state=state, chat=chat), Search(state=state, bot=bot.id)):
        (plan,) = plans(lambda wanted=wanted: reading.page(team, wanted))  # type: ignore[misc]
        assert "TEMP B-TREE" not in plan


def test_how_a_bot_stands_is_asked_of_what_is_open_or_given_up(bot: Bot) -> None:
    plan = plans(lambda: reading.summary(bot.id, utcnow()))[0]
    assert "ix_deliveries_due" in plan


def test_a_page_reads_no_updates_bytes(team: ULID, bot: Bot) -> None:
    delivery = make_delivery(make_endpoint(bot.id, "Kasir"), an_update(1, "Dua kopi"))
    (row,) = reading.page(team, Search()).rows
    assert "raw" not in row._fields
    assert (row.id, row.seq, row.update_id) == (str(delivery.id), delivery.seq, 1)
    assert (row.endpoint, row.bot, row.state) == ("Kasir", bot.name, delivery.state)
    assert "Dua kopi" in row.words


def test_each_endpoint_stands_for_itself(team: ULID, bot: Bot) -> None:
    good, bad = make_endpoint(bot.id, "Good"), make_endpoint(bot.id, "Bad")
    make_delivery(good, an_update(1), state=State.DELIVERED)
    make_delivery(bad, an_update(2), state=State.CLAIMED, attempts_made=1, last_error="timeout")
    stands = reading.by_endpoint(bot.id, utcnow())
    assert (stands[good.id].pending, stands[good.id].lag) == (0, None)
    assert (stands[bad.id].pending, stands[bad.id].failing) == (1, 1)
    assert reading.summary(bot.id, utcnow()).last_error == "timeout"


def test_without_endpoints_nothing_stands_still(bot: Bot) -> None:
    assert reading.summary(bot.id, utcnow()) == reading.Summary()
