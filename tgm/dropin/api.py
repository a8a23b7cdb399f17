"""Telegram's own addresses: /bot<token>/<method> and /file/bot<token>/<path>."""

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState

from tgm.dropin.entrance import DROP_IN, FILES, METHODS
from tgm.extensions import runtime
from tgm.proxy.api import Bare

bp = Blueprint("dropin", __name__)


def call(rest: str) -> Response:  # noqa: ARG001 - the gateway reads the undecoded target itself
    """Hand the request over."""
    return Bare.of(runtime.gateway.handle(request.environ, DROP_IN))


@bp.record
def take_every_verb(state: BlueprintSetupState) -> None:
    """Route whatever comes below the two prefixes, by any verb."""
    endpoint = f"{bp.name}.call"
    state.app.view_functions[endpoint] = call
    for prefix in (METHODS, FILES):
        state.app.url_map.add(
            state.app.url_rule_class(
                f"{prefix}<path:rest>", endpoint=endpoint, methods=None, merge_slashes=False
            )
        )
