"""CSS, icons and scripts, served by TGM itself: our own few files and those of the packages.

Each address carries its file's version, so that browsers keep the file for a year. Files go out
compressed. Pages do not: they hold form tokens beside what a request brings along, and the length
of a compressed page would tell a listener who chooses the latter about the former (BREACH).
"""

import gzip
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import swagger_ui_bundle
from flask import Blueprint, Flask, Response, abort, request
from werkzeug.security import safe_join

from tgm import icons

_YEAR = 31_536_000
# More than all pages ask for; whoever asks for everything in the packages fills no memory.
_KEPT = 48
_SPRITE = "bootstrap-icons.svg"
_PACKED = {"application/json", "text/css", "text/javascript", "image/svg+xml"}

bp = Blueprint(
    "htmx",
    __name__,
    static_folder=str(files("js_lib_htmx") / "static" / "htmx"),
    static_url_path="/assets/htmx",
)
swagger = Blueprint(
    "swagger",
    __name__,
    static_folder=str(swagger_ui_bundle.swagger_ui_path),
    static_url_path="/assets/swagger-ui",
)


@dataclass(frozen=True)
class Asset:
    """A file as it is sent. `packed` is it in gzip, None for a kind that is compressed already."""

    body: bytes
    packed: bytes | None
    mimetype: str
    version: str


@lru_cache(maxsize=_KEPT)
def load(path: Path) -> Asset:
    """Read a file, once. Raises OSError where there is none."""
    body = icons.sprite(path) if path.name == _SPRITE else path.read_bytes()
    return packed(body, mimetypes.guess_type(path.name)[0] or "application/octet-stream")


def packed(body: bytes, mimetype: str) -> Asset:
    """Return what is sent of `body`, which must tell nothing of who asks for it."""
    small = gzip.compress(body, mtime=0) if mimetype in _PACKED else None
    return Asset(body, small, mimetype, sha256(body).hexdigest()[:12])


def init_app(app: Flask) -> None:
    """Serve every static file this way, and let `url_for` add its version."""
    app.register_blueprint(bp)
    app.register_blueprint(swagger)
    folders = {"static": str(app.static_folder)} | {
        f"{name}.static": str(blueprint.static_folder)
        for name, blueprint in app.blueprints.items()
        if blueprint.has_static_folder
    }

    def serve(filename: str) -> Response:
        asset = _find(folders[str(request.endpoint)], filename)
        return answer(asset) if asset else abort(404)

    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        folder = folders.get(endpoint)
        asset = _find(folder, values["filename"]) if folder else None
        if asset is not None:
            values.setdefault("v", asset.version)

    for endpoint in folders:
        app.view_functions[endpoint] = serve
    app.url_defaults(add_version)


def _find(folder: str, filename: str) -> Asset | None:
    path = safe_join(folder, filename)
    try:
        return load(Path(path)) if path else None
    except OSError:
        return None


def answer(asset: Asset) -> Response:
    """Return the answer to a request for it, which may have it already."""
    packs = asset.packed is not None and request.accept_encodings.quality("gzip") > 0
    answer = Response(asset.packed if packs else asset.body, mimetype=asset.mimetype)
    if packs:
        answer.content_encoding = "gzip"
    if asset.packed is not None:
        answer.vary.add("Accept-Encoding")
    answer.set_etag(asset.version + ("-gzip" if packs else ""))
    # Under an address of another version, a later start may serve another file.
    if request.args.get("v") == asset.version:
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    else:
        answer.headers["Cache-Control"] = "public, no-cache"
    answer.make_conditional(request)
    return answer
