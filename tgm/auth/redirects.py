"""Where to go after a form: back to a page of TGM's own, and nowhere else."""

from flask import current_app, session
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect


def local_page(target: str | None, fallback: str) -> str:
    """Return `target` if it is the path of a page that can be opened, else `fallback`.

    Browsers take `//host` and `/\\host` for other sites, and drop tabs and line ends on the way
    there; a path that answers POST only would greet the person with an error.
    """
    if not target or not target.startswith("/") or target.startswith("//"):
        return fallback
    if "\\" in target or not target.isprintable():
        return fallback
    try:
        current_app.url_map.bind("localhost").match(target.partition("?")[0], method="GET")
    except RequestRedirect:
        return target
    except HTTPException:
        return fallback
    return target


def fresh_session() -> None:
    """Empty the session at sign-in and sign-out, so that little is carried over.

    The language and the theme stay: they say nothing of who was there. The old CSRF token
    goes too: a form opened as somebody else can no longer be sent.
    """
    kept = {name: session[name] for name in ("language", "theme") if name in session}
    session.clear()
    session.update(kept)
