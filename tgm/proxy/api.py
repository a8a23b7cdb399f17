"""The proxy's blueprint: everything below /api/v1/bots goes to the gateway as it came."""

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState

from tgm.extensions import runtime
from tgm.proxy.answers import ProxyAnswer

bp = Blueprint("proxy", __name__)


class Bare(Response):
    """A response without a Content-Type of Flask's own: Telegram's answer may have none."""

    default_mimetype = None

    @classmethod
    def of(cls, answer: ProxyAnswer) -> "Bare":
        """Return the gateway's answer as a response."""
        return cls(answer.body, answer.status_line, answer.headers, direct_passthrough=True)


def call(rest: str) -> Response:  # noqa: ARG001 - the gateway reads the undecoded target itself
    """Hand the request over."""
    return Bare.of(runtime.gateway.handle(request.environ))


@bp.record
def take_every_verb(state: BlueprintSetupState) -> None:
    """Route whatever comes below the prefix, by any verb: refusing is the gateway's part too.

    `route` would refuse verbs that it was not told of, without a word of the key's limit.
    """
    endpoint = f"{bp.name}.call"
    state.app.view_functions[endpoint] = call
    rule = state.app.url_rule_class
    for path, defaults in (("/<path:rest>", None), ("/", {"rest": ""})):
        state.app.url_map.add(
            rule(
                f"{state.url_prefix}{path}",
                endpoint=endpoint,
                methods=None,
                merge_slashes=False,
                defaults=defaults,
            )
        )
