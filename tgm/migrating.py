"""Running the database's numbered steps. Costs a good part of the start: import it where it must
be, see `tgm.database.migrate`."""

import flask_migrate
from flask import Flask

from tgm.extensions import db
from tgm.settings import PROJECT

_FOLDER = PROJECT / "tgm" / "migrations"


def prepare(app: Flask) -> None:
    """Let Flask-Migrate work on this application."""
    flask_migrate.Migrate(app, db, directory=str(_FOLDER), render_as_batch=True, compare_type=True)


def upgrade(app: Flask) -> None:
    """Take every step that the database has not taken. Needs an application context."""
    prepare(app)
    flask_migrate.upgrade()
