"""How a page looks to its reader: language, time zone and theme.

Two languages, English and Indonesian: chosen by a switch, else by the browser. Times are in the
zone that the browser says it is in, by a cookie that a script sets; in UTC without one.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from urllib.parse import unquote

from babel import Locale
from babel.dates import format_datetime, get_timezone
from flask import Flask, has_request_context, request, session
from flask_babel import get_locale, to_utc
from flask_babel import get_timezone as zone_at_hand

from tgm.extensions import babel

LANGUAGES = {"en": "English", "id": "Bahasa Indonesia"}
THEMES = ("system", "light", "dark")
ZONE_COOKIE = "tgm_zone"


def chosen_language() -> str:
    """Return the language of this request's answer."""
    if not has_request_context():
        return "en"
    chosen = session.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    return request.accept_languages.best_match(list(LANGUAGES)) or "en"


def chosen_theme() -> str:
    """Return `system`, `light` or `dark`."""
    chosen = session.get("theme") if has_request_context() else None
    return str(chosen) if chosen in THEMES else THEMES[0]


def chosen_zone() -> str:
    """Return the name of the reader's time zone, such as `Asia/Jakarta`."""
    if has_request_context():
        name = unquote(request.cookies.get(ZONE_COOKIE, ""))
        if name and _is_zone(name):
            return name
    return "UTC"


def aware(local: datetime) -> datetime:
    """Return the time that a reader meant who wrote `local` into a field."""
    utc: datetime = to_utc(local)
    return utc.replace(tzinfo=UTC)


def written(when: datetime, pattern: str = "medium") -> str:
    """Return a point in time as the reader writes it: the filter `datetimeformat`.

    The rows of a list share a few seconds, and Babel takes as long for one as the rest of a row.
    """
    return _written(int(when.timestamp()), pattern, get_locale(), zone_at_hand())


@lru_cache(maxsize=2048)
def _written(second: int, pattern: str, locale: Locale, zone: tzinfo) -> str:
    when = datetime.fromtimestamp(second, UTC)
    return format_datetime(when, pattern, tzinfo=zone, locale=locale)


def _is_zone(name: str) -> bool:
    try:
        get_timezone(name)
    except (LookupError, ValueError, OSError):
        # A name that is a path, or no name at all: the cookie is the browser's word only.
        return False
    return True


def init_app(app: Flask) -> None:
    """Bind the extension, and give templates the choice of languages and themes."""
    babel.init_app(
        app,
        locale_selector=chosen_language,
        timezone_selector=chosen_zone,
        default_translation_directories=str(app.root_path) + "/translations",
    )
    app.jinja_env.filters["datetimeformat"] = written
    app.context_processor(
        lambda: {
            "languages": LANGUAGES,
            "language": chosen_language(),
            "theme": chosen_theme(),
            "zone": chosen_zone(),
        }
    )
