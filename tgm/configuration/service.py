"""The settings in force, without their secrets, and facts about what runs here."""

import platform
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from sqlalchemy import FromClause, func, select

import tgm
from tgm import database
from tgm.configuration.words import DEFAULTS, GROUPS, MEANINGS, NONE, SET
from tgm.extensions import db
from tgm.proxy.models import RequestLogEntry
from tgm.security.secret import Secret
from tgm.settings import OPTIONS, Option, Settings, Source
from tgm.webhook.models import Attempt, Delivery, StoredUpdate

# The packages that pyproject.toml names: a test compares the two.
PACKAGES = (
    "bootstrap-flask",
    "cryptography",
    "django-js-lib-htmx",
    "flask",
    "flask-babel",
    "flask-limiter",
    "flask-login",
    "flask-migrate",
    "flask-sqlalchemy",
    "flask-wtf",
    "htmx-flask",
    "httptools",
    "jinja2-fragments",
    "python-dotenv",
    "python-ulid",
    "requests",
    "segno",
    "swagger-ui-bundle",
    "waitress",
)


@dataclass(frozen=True)
class Shown:
    """A setting as a screen may show it.

    `value` is a word to be translated where `is_word` says so, else the value itself. `default` is
    None where the default is in force, and where it is no plain value.
    """

    name: str
    value: str
    is_word: bool
    source: Source
    meaning: str
    default: str | None


@dataclass(frozen=True)
class Kept:
    """How much of something there is. `about` is the span of the rows' numbers, gaps included."""

    about: int
    oldest: datetime | None


@dataclass(frozen=True)
class Facts:
    """What runs here and what it keeps, of all teams together. Sizes are in bytes."""

    tgm: str
    python: str
    packages: dict[str, str]
    database: str
    database_size: int
    requests: Kept
    updates: Kept
    deliveries: Kept
    attempts: Kept


def shown(settings: Settings) -> dict[str, list[Shown]]:
    """Return every setting by its group, secrets only as set or not."""
    groups: dict[str, list[Shown]] = {group: [] for group in GROUPS}
    for option in OPTIONS:
        group, meaning = MEANINGS[option.name]
        source = settings.sources[option.name]
        value, is_word = _value(option, source, getattr(settings, option.name.lower()))
        default = None if source is Source.DEFAULT else _plain(option.default)
        groups[group].append(Shown(option.name, value, is_word, source, meaning, default))
    return groups


def facts() -> Facts:
    """Return what runs here. Reads at the ends of indexes only, however many rows there are."""
    return Facts(
        tgm=tgm.__version__,
        python=platform.python_version(),
        packages={name: version(name) for name in PACKAGES},
        database={"sqlite": "SQLite", "postgresql": "PostgreSQL"}[db.engine.dialect.name],
        database_size=database.size(),
        requests=_kept(RequestLogEntry.__table__, "id", "at"),
        updates=_kept(StoredUpdate.__table__, "seq", "received_at"),
        deliveries=_kept(Delivery.__table__, "seq", "created_at"),
        attempts=_kept(Attempt.__table__, "id", "at"),
    )


def _value(option: Option, source: Source, value: object) -> tuple[str, bool]:
    """Return what may be shown of a value, and whether it is a word of ours."""
    if source is Source.DEFAULT:
        if option.name in DEFAULTS:
            return DEFAULTS[option.name], True
        plain = _plain(option.default)
    elif option.secret:
        return SET, True
    else:
        plain = _plain(value)
    return (NONE, True) if plain is None else (plain, False)


def _plain(value: object) -> str | None:
    """Return a value as text, None where there is none or it is a list without anything in it."""
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or None
    # Only defaults come here as a Secret, and those stand in README.
    return value.value if isinstance(value, Secret) else None if value is None else str(value)


def _kept(table: FromClause, key: str, time: str) -> Kept:
    number = table.c[key]
    first, last = db.session.execute(
        select(
            select(func.min(number)).scalar_subquery(), select(func.max(number)).scalar_subquery()
        )
    ).one()
    if first is None:
        return Kept(0, None)
    oldest = db.session.scalar(select(table.c[time]).where(number == first))
    return Kept(last - first + 1, oldest)
