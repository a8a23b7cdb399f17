"""The numbered steps make exactly what the models say, and can be taken back."""

from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect

from tgm import create_app, database, migrating
from tgm.database import WRITER
from tgm.extensions import Base, db
from tgm.settings import PROJECT, Settings


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings.load({"INSTANCE_PATH": str(tmp_path)}, dotenv=None))
    yield app
    database.close(app)


def tables() -> set[str]:
    return set(inspect(db.engines[WRITER]).get_table_names()) - {"alembic_version"}


def test_they_make_what_the_models_say(empty: Flask) -> None:
    database.migrate(empty)
    with empty.app_context(), db.engines[WRITER].connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_each_step_goes_up_and_down_again(empty: Flask) -> None:
    migrating.prepare(empty)
    with empty.app_context():
        flask_migrate.upgrade()
        assert tables() == set(Base.metadata.tables)
        flask_migrate.downgrade(revision="base")
        assert tables() == set()
        flask_migrate.upgrade()
        assert tables() == set(Base.metadata.tables)


def test_migrating_twice_changes_nothing(empty: Flask) -> None:
    database.migrate(empty)
    database.migrate(empty)
    with empty.app_context():
        assert tables() == set(Base.metadata.tables)


def test_the_last_file_by_name_is_the_last_step() -> None:
    steps = ScriptDirectory(str(PROJECT / "tgm" / "migrations"))
    assert steps.get_heads() == [database.newest_version()]


def test_a_database_that_lacks_the_last_step_gets_it(empty: Flask) -> None:
    database.migrate(empty)
    migrating.prepare(empty)
    with empty.app_context():
        before = tables()
        flask_migrate.downgrade()
    database.migrate(empty)
    with empty.app_context():
        assert tables() == before
