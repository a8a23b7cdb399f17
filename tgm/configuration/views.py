"""The screen of the settings. It only reads: settings are changed where TGM is started."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from tgm.auth.access import needs
from tgm.auth.roles import Role
from tgm.configuration import service
from tgm.extensions import runtime
from tgm.settings import Source
from tgm.shared.errors import N_

bp = Blueprint("configuration", __name__, url_prefix="/settings")

_SOURCES = {
    Source.DEFAULT: N_("default"),
    Source.ENVIRONMENT: N_("environment"),
    Source.DOTENV: N_("file .env"),
    Source.COMMAND_LINE: N_("command line"),
}


@bp.get("")
@needs(Role.ADMIN)
def index() -> ResponseReturnValue:
    """Show the settings in force, where each comes from, and what this installation keeps."""
    return render_template(
        "configuration/index.html",
        groups=service.shown(runtime.settings),
        facts=service.facts(),
        sources=_SOURCES,
    )
