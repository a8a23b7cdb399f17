"""TGM, the Telegram Manager: a self-hosted gateway between a team's programs and Telegram."""

from tgm.application import create_app
from tgm.shared.version import VERSION

__version__ = VERSION
__all__ = ["create_app"]
