"""TGM, the Telegram Manager: a self-hosted gateway between a team's programs and Telegram."""

from typing import TYPE_CHECKING, Any

from tgm.shared.version import VERSION

if TYPE_CHECKING:
    from tgm.application import create_app

__version__ = VERSION
__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: `python -m tgm` has something to do before all the rest comes.
    if name == "create_app":
        from tgm.application import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
