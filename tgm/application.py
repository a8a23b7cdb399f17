"""The application factory: settings, then extensions, blueprints, errors and headers."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from tgm import assets, blueprints, database, errors, front, headers, i18n, secretfiles
from tgm.auth import access
from tgm.auth.cookies import SessionInterface
from tgm.database import WRITER
from tgm.dropin.consumers import Consumers
from tgm.dropin.methods import served
from tgm.dropin.polls import Polls
from tgm.extensions import bootstrap, csrf, db, htmx, limiter, login_manager
from tgm.keys.snapshot import Snapshot
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.callers import Callers
from tgm.proxy.gateway import Gateway
from tgm.proxy.idempotency import IdempotencyStore
from tgm.proxy.requestlog import RequestLog
from tgm.proxy.sending import Sending
from tgm.proxy.served import ServedCall, Server
from tgm.runtime import Runtime
from tgm.settings import MEBIBYTE, PROJECT, Settings
from tgm.shared import counted
from tgm.shared.boxfile import BoxFile
from tgm.shared.counted import Counts
from tgm.shared.ids import UlidConverter
from tgm.shared.limits import Limits
from tgm.shared.notes import SharedNotes
from tgm.telegram.client import TelegramClient
from tgm.telegram.upstream import Route
from tgm.webhook.relay import Relay


def create_app(settings: Settings | None = None, counts: Counts | None = None) -> Flask:
    """Build the application. Reads the settings from the environment unless they are given.

    `counts` is what several processes count against limits in, where they do so in memory.
    Makes the secrets in the instance folder on the first call; leaves the database as it is: see
    `tgm.database.migrate`. Raises BadSetting.
    """
    settings = settings or Settings.load()
    app = Flask(
        "tgm",
        instance_path=str(settings.instance_path),
        template_folder=str(PROJECT / "templates"),
        static_folder=str(PROJECT / "static"),
    )
    _configure(app, settings, counts)
    app.url_map.converters["ulid"] = UlidConverter
    app.session_interface = SessionInterface()
    _bind_extensions(app)
    app.extensions["tgm"] = _runtime(app, settings)
    for part in (assets, i18n, blueprints, errors, headers, front):
        part.init_app(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    return app


def _configure(app: Flask, settings: Settings, counts: Counts | None) -> None:
    database.configure(app, settings)
    if settings.counts_in_memory:
        app.config["RATELIMIT_STORAGE_URI"] = counted.ADDRESS
        app.config["RATELIMIT_STORAGE_OPTIONS"] = {"counts": counts or Counts()}
    else:
        app.config["RATELIMIT_STORAGE_URI"] = settings.rate_limit_storage_uri.value
    app.config.update(
        SECRET_KEY=secretfiles.session_key(settings),
        # Screens take forms; the proxy's bodies are read past Flask, with a limit of their own.
        MAX_CONTENT_LENGTH=MEBIBYTE,
        MAX_FORM_MEMORY_SIZE=MEBIBYTE,
        SESSION_COOKIE_NAME="tgm_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=14),
        # A form may stay open for hours; its token lives as long as the session.
        WTF_CSRF_TIME_LIMIT=None,
        BOOTSTRAP_SERVE_LOCAL=True,
    )


def _bind_extensions(app: Flask) -> None:
    db.init_app(app)
    database.prepare(app)
    csrf.init_app(app)
    limiter.init_app(app)
    htmx.init_app(app)
    bootstrap.init_app(app)
    login_manager.init_app(app)
    login_manager.session_protection = "strong"
    login_manager.login_view = "auth.sign_in"
    login_manager.user_loader(access.load_person)


def _runtime(app: Flask, settings: Settings) -> Runtime:
    with app.app_context():
        reader, writer = db.engine, db.engines[WRITER]
    vault = secretfiles.vault(settings)
    telegram = _client(settings)
    snapshot = Snapshot(reader)
    limits = Limits(limiter.limiter)
    request_log = RequestLog(writer, keep_days=settings.request_log_days)
    idempotency = IdempotencyStore(writer)
    shared = BoxFile(settings.shared_path) if settings.has_others else None
    sending = Sending(settings, vault, telegram, snapshot, request_log, reader, writer, shared)
    consumers = Consumers(reader, writer)
    polls = Polls(consumers)
    relay = Relay(
        settings=settings,
        vault=vault,
        telegram=telegram,
        snapshot=snapshot,
        reader=reader,
        writer=writer,
        sending=sending,
        hears=polls.wake,
        notes=None if shared is None else SharedNotes(shared),
    )
    gateway = Gateway(
        settings=settings,
        vault=vault,
        telegram=telegram,
        callers=Callers(snapshot, limits, writer, calls_per_minute=settings.rate_limit_per_minute),
        snapshot=snapshot,
        request_log=request_log,
        idempotency=idempotency,
        press_answered=relay.acknowledger.answered,
        sending=sending,
        served=_in_context(app, served(consumers, polls)),
    )
    return Runtime(
        settings,
        vault,
        telegram,
        limits,
        snapshot,
        request_log,
        idempotency,
        gateway,
        relay,
        polls,
        sending,
    )


def _in_context(app: Flask, servers: Mapping[str, Server]) -> dict[str, Server]:
    """Give what answers calls itself the application context that services read and write in."""

    def within(server: Server, call: ServedCall) -> ProxyAnswer | None:
        with app.app_context():
            return server(call)

    return {method: partial(within, server) for method, server in servers.items()}


def _client(settings: Settings) -> TelegramClient:
    return TelegramClient(
        Route(
            base_url=settings.telegram_api_base_url,
            proxy_url=settings.telegram_proxy_url,
            ca_file=settings.telegram_ca_file,
            timeout=settings.telegram_timeout_seconds,
        )
    )
