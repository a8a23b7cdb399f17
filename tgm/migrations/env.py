"""Alembic's entry: runs the steps in `versions/` on the application's writing engine."""

from typing import Literal

from alembic import context
from flask import current_app
from sqlalchemy import MetaData

from tgm.database import WRITER
from tgm.extensions import Base, db
from tgm.shared.types import UlidType, UtcDateTime


def render(kind: str, item: object, _: object) -> str | Literal[False]:
    """Write our column types as what they are in the database: a step must not change with them."""
    if kind == "type" and isinstance(item, UlidType):
        return "sa.String(26)"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Run the steps. SQLite cannot alter most things in place, hence `render_as_batch`."""
    engine = db.engines[WRITER]
    target: MetaData = Base.metadata
    options = current_app.extensions["migrate"].configure_args
    with engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=target, render_item=render, **options
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
