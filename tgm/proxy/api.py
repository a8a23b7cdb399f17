"""The proxy's blueprint: everything below /api/v1/bots goes to the gateway as it came."""

from flask import Blueprint, Response, request

from tgm.extensions import runtime

bp = Blueprint("proxy", __name__)

_VERBS = ("GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")


@bp.route("/", methods=_VERBS, provide_automatic_options=False, defaults={"rest": ""})
@bp.route("/<path:rest>", methods=_VERBS, provide_automatic_options=False, merge_slashes=False)
def call(rest: str) -> Response:
    """Hand the request over. The gateway reads the undecoded target itself; `rest` is not used."""
    answer = runtime.gateway.handle(request.environ)
    return Response(answer.body, answer.status_line, answer.headers, direct_passthrough=True)
