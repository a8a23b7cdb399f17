"""Programs' calls, answered in front of Flask's dispatch.

Flask's routing, sessions and hooks serve the screens: a call needs none of them, and they would
cost it as much as everything else that TGM does for it. What answers here is what the blueprints'
views call as well; they still take what is not asked for by GET or POST.
"""

from collections.abc import Callable, Iterable
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
Routes = tuple[tuple[str, Callable[[Environ], ProxyAnswer]], ...]

_VERBS = {"GET", "POST"}


class Front:
    """A WSGI application that answers plain calls, and hands on everything else."""

    def __init__(self, behind: WSGIApplication, routes: Routes) -> None:
        """`routes` are prefixes of paths, with what answers below them and never raises."""
        self._behind = behind
        self.routes = routes

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in _VERBS:
            path = environ["PATH_INFO"]
            for prefix, answer_to in self.routes:
                if path.startswith(prefix):
                    answer = answer_to(environ)
                    start_response(answer.status_line, answer.headers)
                    return answer.body
        return self._behind(environ, start_response)


def init_app(app: Flask) -> None:
    """Stand in front of the application's dispatch."""
    runtime: Runtime = app.extensions["tgm"]
    call = runtime.gateway.handle
    drop_in = partial(call, entrance=DROP_IN)
    intake = runtime.relay.intake.handle
    routes = ((PREFIX, call), (PATH, intake), (METHODS, drop_in), (FILES, drop_in))
    app.wsgi_app = Front(app.wsgi_app, routes)  # type: ignore[method-assign]
