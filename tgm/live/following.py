"""Answering with a live page: a page's stream is its own address, asked for as events."""

from collections.abc import Callable, Hashable, Mapping
from io import BytesIO
from typing import Any

from flask import Flask, Response, current_app, request

from tgm.auth import access
from tgm.auth.service import TeamPlace
from tgm.extensions import runtime
from tgm.i18n import chosen_language, chosen_zone
from tgm.live.channel import HOLD
from tgm.live.stream import Stream

EVENTS = "text/event-stream"

# All that a session is known by: see `login_manager.session_protection`.
_SIGNED_IN_BY = ("HTTP_COOKIE", "HTTP_USER_AGENT", "HTTP_X_FORWARDED_FOR", "REMOTE_ADDR")


def wants_events() -> bool:
    """Tell whether a browser's EventSource asks."""
    return EVENTS in request.headers.get("Accept", "")


def follow(topic: Hashable, mark: Callable[[], Hashable]) -> Response:
    """Answer with the part of this page that htmx would get, now and after each change.

    `mark` is asked several times a second for all pages of `topic` together: one cheap look whose
    answer changes whenever any of them may have.
    """
    person, place = access.current_person(), access.current_place()
    if not runtime.live.has_room(person.id):
        return Response(status=503, headers={"Retry-After": "60", "Cache-Control": "no-store"})
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    asked = _as_htmx(request.environ)
    stream = Stream(
        hub=runtime.live,
        owner=person.id,
        view=(request.full_path, place, chosen_language(), chosen_zone()),
        topic=topic,
        mark=lambda: _marked(app, mark),
        render=lambda: _page(app, asked),
        is_welcome=lambda: _place(app, asked) == place,
        guest=(place, *(request.environ.get(name) for name in _SIGNED_IN_BY)),
        hold=request.environ.get(HOLD),
    )
    # Direct: what wraps the iterable would keep the server from knowing it.
    answer = Response(stream, content_type=f"{EVENTS}; charset=utf-8", direct_passthrough=True)
    answer.headers["Cache-Control"] = "no-store"
    # nginx would otherwise wait for more before it passes anything on.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _as_htmx(environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request as htmx would send it: same person, same language, same address."""
    kept = {name: value for name, value in environ.items() if isinstance(value, str)}
    for name in ("HTTP_ACCEPT", "HTTP_HX_BOOSTED", "CONTENT_LENGTH", "CONTENT_TYPE"):
        kept.pop(name, None)
    return kept | {"HTTP_HX_REQUEST": "true", "HTTP_ACCEPT": "text/html"}


def _page(app: Flask, asked: Mapping[str, Any]) -> bytes | None:
    """Ask the application, as a browser would: whatever guards the page guards this too."""
    with app.request_context({**asked, "wsgi.input": BytesIO()}):
        answer = app.full_dispatch_request()
        if answer.status_code >= 500:
            raise RuntimeError(f"the page answers {answer.status_code}")
        return answer.get_data() if answer.status_code == 200 else None


def _marked(app: Flask, mark: Callable[[], Hashable]) -> Hashable:
    with app.app_context():
        return mark()


def _place(app: Flask, asked: Mapping[str, Any]) -> TeamPlace | None:
    """Return where the person stands now, None where they are no longer signed in."""
    with app.request_context({**asked, "wsgi.input": BytesIO()}):
        return access.place_at_hand()
