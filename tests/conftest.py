"""Fixtures that every test may use: settings of its own, a fake Telegram, a signed-in owner."""

import faulthandler
import gc
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache, FileSystemBytecodeCache
from sqlalchemy import event

from tests.browsing import Browser, sign_in
from tests.fakes.serving import Served, serving
from tests.fakes.telegram import FakeTelegram
from tests.making import PASSWORD, make_person, make_team
from tgm import create_app, database
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.extensions import db, runtime
from tgm.front import AnswerTo, Environ, Front, Route
from tgm.settings import Settings
from tgm.telegram.errors import TelegramUnreachable

OWNER = "owner@example.com"


def pytest_configure() -> None:
    # A shell has what it runs in the background ignore Ctrl-C, and with it whatever a test starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    # What is there now stays to the end: looking for garbage in it takes a quarter of a second.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # The limit is one test's: what comes after the last one gets as long.
    seconds = float(session.config.getini("faulthandler_timeout"))
    stderr = session.config.stash.get(fault_handler_stderr_fd_key, None)
    if seconds and stderr is not None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=stderr)


def pytest_unconfigure() -> None:
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def empty_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with its keys and a migrated, empty database; made once, copied for each test."""
    folder = tmp_path_factory.mktemp("empty")
    settings = Settings.load({"INSTANCE_PATH": str(folder)}, dotenv=None)
    app = create_app(settings)
    database.migrate(app)
    database.close(app)
    return folder


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> BytecodeCache:
    """Keeps compiled templates, which each test's own application would compile anew."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    """A Telegram of this test's own."""
    with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def environ(
    tmp_path: Path, telegram: FakeTelegram, request: pytest.FixtureRequest
) -> dict[str, str]:
    """The environment that `settings` reads. `@pytest.mark.given(NAME="value")` adds to it."""
    given = {"INSTANCE_PATH": str(tmp_path), "TELEGRAM_API_BASE_URL": telegram.url, "PORT": "0"}
    for mark in request.node.iter_markers("given"):
        given.update(mark.kwargs)
    return given


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return Settings.load(environ, dotenv=None)


@pytest.fixture
def app(settings: Settings, empty_instance: Path, templates: BytecodeCache) -> Iterator[Flask]:
    """An application on a database of its own, with an app context open."""
    shutil.copytree(empty_instance, settings.instance_path, dirs_exist_ok=True)
    app = create_app(settings)
    app.jinja_env.bytecode_cache = templates
    app.test_client_class = Browser
    with app.app_context():
        for engine in db.engines.values():
            event.listen(engine, "connect", do_not_wait_for_the_disk)
        yield app
        runtime.live.stop()
        runtime.telegram.close()
    database.close(app)


def do_not_wait_for_the_disk(connection: sqlite3.Connection, _record: object) -> None:
    """No test cuts the power: what a killed process has written is there without that."""
    connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(params=["loop", "front", "blueprint"])
def each_way(request: pytest.FixtureRequest, app: Flask) -> None:
    """Programs' calls in the thread that waits for connections, where they can be answered there;
    by the shortcut in front of Flask's dispatch; and without either."""
    front: Front = app.extensions["tgm.front"]
    if request.param == "loop":
        # What is known is known at once, and a connection is there already: without them a thread
        # makes the first call.
        front.routes = [replace(route, at_once=prepared(route)) for route in front.routes]
        with suppress(TelegramUnreachable):
            pool = runtime.telegram.pools.at(None)
            pool.give_back(pool.take())
    elif request.param == "front":
        front.routes = [replace(route, at_once=lambda _environ: None) for route in front.routes]
    else:
        front.routes = ()


def prepared(route: Route) -> Callable[[Environ], AnswerTo | None]:
    known = runtime.snapshot

    def at_once(environ: Environ) -> AnswerTo | None:
        known.current()
        return route.at_once(environ)

    return at_once


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def served(app: Flask) -> Iterator[Served]:
    """The application under its real server, on a port of its own."""
    with serving(app) as running:
        yield running


@pytest.fixture
def owner(app: Flask) -> Person:
    """The owner of the first team."""
    return make_person(OWNER, Role.OWNER, make_team("Team"), "user.set_up")


@pytest.fixture
def signed_in(client: FlaskClient, owner: Person) -> FlaskClient:
    """A browser in which the owner has signed in."""
    assert sign_in(client, owner.email, PASSWORD).status_code == 303
    return client
