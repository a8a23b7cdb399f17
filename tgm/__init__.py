"""TGM, the Telegram Manager: a self-hosted gateway between a team's programs and Telegram."""

from tgm.application import create_app

__version__ = "0.1.0"
__all__ = ["create_app"]
