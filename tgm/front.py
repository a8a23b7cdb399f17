"""Programs' calls, answered in front of Flask's dispatch.

Flask's routing, sessions and hooks serve the screens: a call needs none of them, and they would
cost it as much as everything else that TGM does for it. What answers here is what the blueprints'
views call as well; they still take what is not asked for by GET or POST.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from flask import Flask

from tgm.dropin.entrance import DROP_IN, FILES, METHODS
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.target import PREFIX
from tgm.runtime import Runtime
from tgm.webhook.registration import PATH

Environ = dict[str, Any]
AnswerTo = Callable[[Environ], ProxyAnswer]

_VERBS = {"GET", "POST"}


@dataclass(frozen=True)
class Route:
    """What answers below a prefix of paths, and never raises.

    `at_once` returns what does so in a thread that may not wait, None where it would have to.
    """

    prefix: str
    answer_to: AnswerTo
    at_once: Callable[[Environ], AnswerTo | None]


class Front:
    """A WSGI application that answers plain calls, and hands on everything else."""

    def __init__(self, behind: WSGIApplication, routes: Sequence[Route]) -> None:
        self._behind = behind
        self.routes = routes

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        route = self._route(environ)
        if route is not None:
            answer = route.answer_to(environ)
            start_response(answer.status_line, answer.headers)
            return answer.body
        return self._behind(environ, start_response)

    def at_once(self, environ: Environ) -> AnswerTo | None:
        """Return what answers the request in a thread that may not wait, None for any other."""
        route = self._route(environ)
        return route.at_once(environ) if route is not None else None

    def _route(self, environ: Environ) -> Route | None:
        if environ["REQUEST_METHOD"] in _VERBS:
            path = environ["PATH_INFO"]
            for route in self.routes:
                if path.startswith(route.prefix):
                    return route
        return None


def init_app(app: Flask) -> None:
    """Stand in front of the application's dispatch."""
    runtime: Runtime = app.extensions["tgm"]
    gateway, intake = runtime.gateway, runtime.relay.intake
    call = gateway.handle, gateway.at_once
    drop_in = partial(call[0], entrance=DROP_IN), partial(call[1], entrance=DROP_IN)
    routes = (
        Route(PREFIX, *call),
        Route(PATH, intake.handle, intake.at_once),
        Route(METHODS, *drop_in),
        Route(FILES, *drop_in),
    )
    app.extensions["tgm.front"] = front = Front(app.wsgi_app, routes)
    app.wsgi_app = front  # type: ignore[method-assign]
