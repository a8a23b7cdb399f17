"""Two ceilings: an empty WSGI application and an empty Flask view, served as TGM is served.

python -m bench.peers.empty wsgi|flask PORT
"""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from waitress import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ANSWER = b'{"ok":true,"result":true}'


def wsgi(_environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer at once."""
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(ANSWER)))]
    start_response("200 OK", headers)
    return [ANSWER]


def flask() -> Flask:
    """Return an application whose one view answers at once."""
    app = Flask("empty")

    @app.route("/<path:rest>", methods=["GET", "POST"])
    def answer(rest: str) -> tuple[bytes, dict[str, str]]:  # noqa: ARG001 - Flask passes it
        return ANSWER, {"Content-Type": "application/json"}

    return app


def main() -> None:
    """Serve until SIGTERM."""
    _, kind, port, options = sys.argv
    app = wsgi if kind == "wsgi" else flask()
    serve(app, listen=f"127.0.0.1:{port}", _quiet=True, **json.loads(options))


if __name__ == "__main__":
    main()
