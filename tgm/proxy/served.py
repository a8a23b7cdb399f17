"""Methods that TGM answers itself instead of passing them on."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

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

Note = Callable[[ProxyAnswer, int, str | None], None]
"""Told the answer, the number of its body's bytes, and the kind of error if it failed."""


@runtime_checkable
class Delayed(Protocol):
    """The body of an answer that is decided later: the status before it does not count yet."""

    def __iter__(self) -> Iterator[bytes]: ...

    def when_ended(self, note: Note) -> None:
        """Hand the answer to `note` once it has been given."""
