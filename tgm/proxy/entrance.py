"""The ways into the gateway: how a request names its key, its bot and its method.

There is one line behind them all, so that no rule can be passed by coming in elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tgm.keys.snapshot import Known, KnownBot
from tgm.proxy.callers import presented_key
from tgm.proxy.target import FileTarget, JobTarget, MethodTarget, parse
from tgm.shared.errors import TgmError

Environ = Mapping[str, Any]
Target = MethodTarget | FileTarget | JobTarget


class Entrance(Protocol):
    """What differs from one way in to another."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """What every answer carries here."""

    def key(self, environ: Environ) -> str:
        """Return the API key that is shown, "" for none. Raises NotFound."""

    def target(self, environ: Environ) -> Target:
        """Return what is asked for. Raises NotFound."""

    def bot(self, target: Target, known: Known) -> KnownBot | None:
        """Return the bot that the target names."""

    def check(self, method: str) -> None:
        """Raise Forbidden for a method that nobody may call here, whatever the key allows."""

    def refusal(self, error: TgmError) -> TgmError:
        """Return the error in the words that are expected here."""


class Api:
    """TGM's own API: the key in a header, the bot by its id."""

    headers: tuple[()] = ()

    def key(self, environ: Environ) -> str:
        """Return the key from the headers."""
        return presented_key(environ)

    def target(self, environ: Environ) -> Target:
        """Read the undecoded target."""
        return parse(environ["REQUEST_URI"])

    def bot(self, target: Target, known: Known) -> KnownBot | None:
        """Look the bot up by its id."""
        return known.bots.get(target.bot_id)

    def check(self, method: str) -> None:
        """Leave it to the key: see `tgm.keys.patterns`."""

    def refusal(self, error: TgmError) -> TgmError:
        """Return the error as it is."""
        return error


API = Api()
