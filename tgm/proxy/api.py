"""The proxy's blueprint: everything below /api/v1/bots goes to the gateway as it came."""

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState

from tgm.extensions import runtime

bp = Blueprint("proxy", __name__)


def call(rest: str) -> Response:  # noqa: ARG001 - the gateway reads the undecoded target itself
    """Hand the request over."""
    answer = runtime.gateway.handle(request.environ)
    return Response(answer.body, answer.status_line, answer.headers, direct_passthrough=True)


@bp.record
def take_every_verb(state: BlueprintSetupState) -> None:
    """Route whatever comes below the prefix, by any verb: refusing is the gateway's part too.

    `route` would refuse verbs that it was not told of, without a word of the key's limit.
    """
    endpoint = f"{bp.name}.call"
    state.app.view_functions[endpoint] = call
    state.app.url_map.add(
        state.app.url_rule_class(
            f"{state.url_prefix}/<path:rest>", endpoint=endpoint, methods=None, merge_slashes=False
        )
    )
