"""A prepared statement does what SQLAlchemy's own way would do."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tests.webhook.rows import make_delivery, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.database import WRITER, transaction
from tgm.extensions import db
from tgm.webhook.models import OPEN, Attempt, Delivery, Endpoint, State
from tgm.webhook.prepared import Prepared

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

_deliveries: Table = Delivery.__table__  # type: ignore[assignment]
_attempts: Table = Attempt.__table__  # type: ignore[assignment]


@pytest.fixture
def made(app: Flask) -> list[Delivery]:
    bot = bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)
    endpoint: Endpoint = make_endpoint(bot.id)
    raws = [b'{"update_id":%d,"poll":{"id":"1"}}' % number for number in range(5)]
    return [make_delivery(endpoint, raw, at=NOON) for raw in raws]


def test_lists_of_any_length_and_values_of_every_kind_come_through(made: list[Delivery]) -> None:
    columns = _deliveries.c
    statement = (
        select(columns.seq, columns.id, columns.state, columns.created_at, columns.lease_owner)
        .where(
            columns.seq.in_(bindparam("seqs", expanding=True)),
            columns.state.in_(OPEN),
            # The same parameter twice, as drivers without names have to be given it.
            columns.created_at <= bindparam("now"),
            columns.next_at > bindparam("now"),
        )
        .order_by(columns.seq)
    )
    prepared = Prepared(statement, "seqs")
    for length in (3, 1, 0, 5, 2, 4):
        values = {"seqs": [one.seq for one in made[:length]], "now": NOON}
        rows = prepared.rows(db.session.connection(), values)
        assert rows == [(one.seq, one.id, State.DUE, NOON, None) for one in made[:length]]
        assert rows == [tuple(row) for row in db.session.execute(statement, values)]


def test_it_changes_rows_and_returns_them(made: list[Delivery]) -> None:
    columns = _deliveries.c
    prepared = Prepared(
        update(_deliveries)
        .where(columns.seq.in_(bindparam("seqs", expanding=True)))
        .values(state=State.CLAIMED, leased_until=bindparam("until"))
        .returning(columns.seq, columns.leased_until),
        "seqs",
    )
    with transaction(db.engines[WRITER]) as connection:
        values = {"seqs": [one.seq for one in made[:3]], "until": NOON}
        assert sorted(prepared.rows(connection, values)) == [(one.seq, NOON) for one in made[:3]]
    db.session.rollback()
    claimed = select(columns.seq).where(columns.state == State.CLAIMED).order_by(columns.seq)
    assert db.session.scalars(claimed).all() == [one.seq for one in made[:3]]


def test_it_inserts_many(made: list[Delivery]) -> None:
    rows = [
        {
            "delivery_seq": made[0].seq,
            "number": number,
            "at": NOON,
            "milliseconds": 1,
            "signature": "",
            "response_headers": [["Server", "toko"]] if number == 1 else None,
        }
        for number in (1, 2)
    ]
    prepared = Prepared(insert(_attempts))
    with transaction(db.engines[WRITER]) as connection:
        prepared.run(connection, rows)
        prepared.run(connection, [{**rows[0], "number": 3}])
    found = db.session.scalars(select(Attempt).order_by(Attempt.number)).all()
    assert [(one.number, one.at) for one in found] == [(number, NOON) for number in (1, 2, 3)]
    assert [one.response_headers for one in found[:2]] == [[["Server", "toko"]], None]


def test_what_the_database_refuses_is_an_error_of_the_usual_kind(made: list[Delivery]) -> None:
    row = {"delivery_seq": 99, "number": 1, "at": NOON, "milliseconds": 1, "signature": ""}
    with pytest.raises(IntegrityError), transaction(db.engines[WRITER]) as connection:
        Prepared(insert(_attempts)).run(connection, [row])
