"""CSS, icons and scripts, served by TGM itself: our own few files and those of the packages.

Each address carries a version, so that browsers may keep the file for a year.
"""

from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Flask, url_for

_VERSIONED = {"bootstrap.static": "Bootstrap-Flask", "htmx.static": "django-js-lib-htmx"}

bp = Blueprint(
    "htmx",
    __name__,
    static_folder=str(files("js_lib_htmx") / "static" / "htmx"),
    static_url_path="/assets/htmx",
)


def init_app(app: Flask) -> None:
    """Serve htmx's files, and give templates `asset_url`."""
    app.register_blueprint(bp)
    folder = Path(app.static_folder or "")
    hashes: dict[str, str] = {}

    def asset_url(endpoint: str, filename: str) -> str:
        package = _VERSIONED.get(endpoint)
        if package is not None:
            return url_for(endpoint, filename=filename, v=version(package))
        if filename not in hashes:
            hashes[filename] = sha256((folder / filename).read_bytes()).hexdigest()[:12]
        return url_for(endpoint, filename=filename, v=hashes[filename])

    app.add_template_global(asset_url)
