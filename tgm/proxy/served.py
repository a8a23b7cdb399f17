"""Methods that TGM answers itself instead of passing them on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tgm.keys.snapshot import KnownBot, KnownKey
from tgm.proxy.answers import ProxyAnswer


@dataclass(frozen=True)
class ServedCall:
    """A call that has passed every check. `parameters` hold text from forms, values from JSON.

    Who answers later may `check_again` whether the call is still allowed, which raises TgmError;
    `refusal` makes an error an answer.
    """

    key: KnownKey
    bot: KnownBot
    method: str
    parameters: Mapping[str, Any]
    environ: Mapping[str, Any]
    check_again: Callable[[], object] = field(repr=False)
    refusal: Callable[[Exception], ProxyAnswer] = field(repr=False)


Server = Callable[[ServedCall], ProxyAnswer | None]
"""Answers a call, None where Telegram is to answer it after all; may raise TgmError."""
