"""What an endpoint's URL and its kinds of update may be."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from tgm.bots.names import LONGEST
from tgm.extensions import runtime
from tgm.shared.errors import N_, Invalid
from tgm.telegram.catalog import UPDATE_KINDS

LONGEST_URL = 2048


def address(text: str) -> tuple[str, str | None]:
    """Return the URL without the spaces around it, and a warning or None. Raises Invalid."""
    url = text.strip()
    if not url:
        raise Invalid(N_("Please give a URL."), field="url")
    if len(url) > LONGEST_URL:
        raise Invalid(N_("A URL has at most 2048 characters."), field="url")
    return url, runtime.relay.outbound.check(url)


def chosen_kinds(kinds: Sequence[str] | None) -> list[str] | None:
    """Return the kinds in Telegram's order, None for all. Raises Invalid."""
    if kinds is None:
        return None
    unknown = sorted(set(kinds) - set(UPDATE_KINDS))
    if unknown:
        raise Invalid(
            N_("“%(kind)s” is no kind of update."), field="kinds", kind=unknown[0][:LONGEST]
        )
    if not kinds:
        raise Invalid(N_("Please choose at least one kind of update."), field="kinds")
    return [kind for kind in UPDATE_KINDS if kind in kinds]


def host(url: str) -> str:
    """Return all that may be told of a URL: its path and query can hold a receiver's secret."""
    return urlsplit(url).hostname or ""
