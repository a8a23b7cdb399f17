"""The database's two engines, and the one way to write.

Reads use `db.session`. Writes use `writing()`: on SQLite a second engine with a single connection,
`BEGIN IMMEDIATE` and `synchronous=FULL`, so that writers queue in the process instead of failing
with "database is locked", reads stay free, and what was committed is on disk. PostgreSQL needs none
of it and gets one plain engine. What needs a dialect is said in this module and nowhere else.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import (
    Connection,
    Engine,
    Insert,
    Table,
    case,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from tgm.extensions import db
from tgm.security.keyfiles import PRIVATE
from tgm.settings import PROJECT, Settings

WRITER = "writer"
_BUSY_SECONDS = 30
# SQLite's number for waiting for the disk when it folds its log, not with each commit.
_NORMAL = 1


def configure(app: Flask, settings: Settings) -> None:
    """Put the engines' options into the application's configuration. Call before `db.init_app`."""
    url = make_url(settings.database_url.value)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and url.database:
        _make_private(settings.instance_path / url.database)
    connect: dict[str, Any] = {"timeout": _BUSY_SECONDS} if is_sqlite else {}
    # check_same_thread: a pooled connection serves one thread at a time, but not always the same.
    if is_sqlite:
        connect["check_same_thread"] = False
    shared = {"connect_args": connect, "pool_pre_ping": not is_sqlite}
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    # A thread may read by two connections at once: were there a limit, threads that have one each
    # would wait for one another. PostgreSQL itself has one.
    most = -1 if is_sqlite else 20
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 10, "max_overflow": most, **shared}
    app.config["SQLALCHEMY_BINDS"] = {
        WRITER: {"url": url, "pool_size": 1 if is_sqlite else 10, "max_overflow": 0, **shared}
    }


def _make_private(path: Path) -> None:
    # The files that SQLite puts beside its database take over the mode of that one.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=PRIVATE)


def prepare(app: Flask) -> None:
    """Give SQLite's connections their pragmas and transactions. Call after `db.init_app`."""
    with app.app_context():
        for name, engine in db.engines.items():
            if engine.dialect.name == "sqlite":
                _prepare_sqlite(engine, "BEGIN IMMEDIATE" if name == WRITER else "BEGIN")


def _prepare_sqlite(engine: Engine, begin: str) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own: ours say which kind they are.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


@contextmanager
def writing() -> Iterator[Session]:
    """Open a transaction that may write; commit at the end, roll back on an exception.

    What it returns stays readable afterwards. Never nest two: SQLite has one writer, and the second
    would wait for the first for ever. Hand the session on instead.
    """
    # A read begun earlier in this request would go on seeing the old rows.
    db.session.rollback()
    with Session(db.engines[WRITER], expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def transaction(engine: Engine, *, is_lasting: bool = True) -> Iterator[Connection]:
    """Open a transaction that may write, as `writing()` does, for SQL alone.

    Without `is_lasting` its commit does not wait for the disk: a power cut may undo it, a killed
    process does not. A later commit that lasts makes it last, too.
    """
    with engine.connect() as connection:
        if is_lasting:
            with connection.begin():
                yield connection
        elif engine.dialect.name == "sqlite":
            with _unsynchronized(connection), connection.begin():
                yield connection
        else:
            with connection.begin():
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection


@contextmanager
def _unsynchronized(connection: Connection) -> Iterator[None]:
    # SQLite takes this between transactions only, and SQLAlchemy would begin one for it.
    cursor = connection.connection.cursor()
    (before,) = cursor.execute("PRAGMA synchronous").fetchone()
    cursor.execute(f"PRAGMA synchronous={min(before, _NORMAL)}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA synchronous={before}")


def has_one_writer(engine: Engine) -> bool:
    """Tell whether the database takes one transaction that writes at a time."""
    return engine.dialect.name == "sqlite"


def migrate(app: Flask) -> None:
    """Bring the database to the newest version. Processes that start together take turns."""
    instance = Path(app.instance_path)
    instance.mkdir(parents=True, exist_ok=True)
    with (instance / ".migrating").open("w") as lock, app.app_context():
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _version() == newest_version():
            return
        # Only here: nearly always there is nothing to do, and it takes long to import.
        from tgm import migrating

        migrating.upgrade(app)


def newest_version() -> str:
    """Return the number of the last step, which its file's name begins with."""
    steps = (PROJECT / "tgm" / "migrations" / "versions").glob("*.py")
    return max(path.name.partition("_")[0] for path in steps)


def _version() -> str | None:
    """Return the number of the last step that the database has taken, None for an empty one."""
    with db.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        number: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return number


def close(app: Flask) -> None:
    """Close both engines' connections. SQLite then folds its log into the database file."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def size() -> int:
    """Return how many bytes the database takes, on SQLite without its log."""
    if db.engine.dialect.name == "postgresql":
        return db.session.scalar(select(func.pg_database_size(func.current_database()))) or 0
    page = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    return db.session.scalar(page) or 0


def insert_or_ignore(engine: Engine | Connection, table: Table) -> Insert:
    """Return an INSERT for `table` that does nothing where the row is there already."""
    insert: Insert = _insert(engine.dialect.name, table).on_conflict_do_nothing()
    return insert


def insert_or_add(
    engine: Engine | Connection, table: Table, add: Sequence[str], most: Sequence[str] = ()
) -> Insert:
    """Return an INSERT for `table` that adds to a row which is there already under its primary key.

    `add` names the columns to sum, `most` those that keep the greater value.
    """
    return _insert_or_add(engine.dialect.name, table, tuple(add), tuple(most))


# Putting it together takes as long as running it, and each delivery runs it.
@cache
def _insert_or_add(
    dialect: str, table: Table, add: tuple[str, ...], most: tuple[str, ...]
) -> Insert:
    insert = _insert(dialect, table)
    old, new = table.c, insert.excluded
    sums = {name: old[name] + new[name] for name in add}
    tops = {name: case((new[name] > old[name], new[name]), else_=old[name]) for name in most}
    made: Insert = insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={**sums, **tops}
    )
    return made


def insert_or_replace(engine: Engine | Connection, table: Table, columns: Sequence[str]) -> Insert:
    """Return an INSERT for `table` that gives `columns` their new values where a row is there
    already under its primary key."""
    insert = _insert(engine.dialect.name, table)
    made: Insert = insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: insert.excluded[name] for name in columns},
    )
    return made


def _insert(dialect: str, table: Table) -> Any:
    if dialect == "sqlite":
        return sqlite.insert(table)
    # Large, and loaded only where it is used.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def take_turns(session: Session | Connection, what: str) -> None:
    """Make the transactions that name the same `what` run one after the other.

    For a rule about rows that are not there yet, which cannot be locked. SQLite has one writer.
    """
    bind = session if isinstance(session, Connection) else session.get_bind()
    if bind.dialect.name == "postgresql":
        number = int.from_bytes(sha256(what.encode()).digest()[:4])
        session.execute(select(func.pg_advisory_xact_lock(number)))
