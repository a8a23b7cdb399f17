"""Where Telegram posts updates: /api/v1/tg-webhook/<path token>.

`tgm.front` answers there before Flask does; this is the same, for whoever comes past it.
"""

from flask import Blueprint, Response, request

from tgm.extensions import runtime
from tgm.proxy.api import Bare

bp = Blueprint("webhook", __name__)


@bp.post("/<path_token>")
def take(path_token: str) -> Response:  # noqa: ARG001 - read from the environ, as in front
    """Take an update in."""
    return Bare.of(runtime.relay.intake.handle(request.environ))
