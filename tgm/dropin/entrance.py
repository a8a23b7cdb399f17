"""Telegram's own addresses as a way into the gateway: the token in the path."""

from collections.abc import Sequence
from dataclasses import dataclass

from tgm.dropin import tokens
from tgm.keys.patterns import LITERAL_ONLY
from tgm.keys.snapshot import Known, KnownBot
from tgm.proxy.entrance import Environ, Target
from tgm.proxy.policy import UnknownBot
from tgm.proxy.target import FileTarget, MethodTarget, file_path, method_name, split
from tgm.shared.errors import Forbidden, NotFound, TgmError, TooManyRequests, Unauthorized

METHODS = "/bot"
FILES = "/file/bot"

_NOT_FOUND = "Not Found"
_UNAUTHORIZED = "Unauthorized"
_TOO_MANY = "Too Many Requests: retry after %(seconds)s"
_STAYS = (
    "Forbidden: %(method)s would take the bot away from TGM, which serves it; "
    "move it with: python -m tgm bot move"
)


@dataclass(frozen=True)
class _Address:
    """An address taken apart. `tail` is what stands behind the token."""

    telegram_id: int
    key: str
    tail: str
    query: str
    is_file: bool


def _read(environ: Environ) -> _Address:
    path, query = split(environ["REQUEST_URI"])
    is_file = path.startswith(FILES)
    rest = path.removeprefix(FILES if is_file else METHODS)
    text, slash, tail = rest.partition("/")
    token = tokens.read(text)
    if rest == path or not slash or token is None:
        # As at Telegram: what has not a token's form leads nowhere.
        raise NotFound(_NOT_FOUND)
    return _Address(*token, tail, query, is_file)


class DropIn:
    """What a library expects of Telegram's own host, down to the words of an error."""

    # The address holds a secret: no page may tell it to the next one.
    headers: Sequence[tuple[str, str]] = (("Referrer-Policy", "no-referrer"),)

    def key(self, environ: Environ) -> str:
        """Return the API key inside the token. Raises NotFound."""
        return _read(environ).key

    def target(self, environ: Environ) -> Target:
        """Read the undecoded address. Raises NotFound."""
        address = _read(environ)
        bot_id = str(address.telegram_id)
        if address.is_file:
            return FileTarget(bot_id, file_path(address.tail))
        return MethodTarget(bot_id, method_name(address.tail), address.query)

    def bot(self, target: Target, known: Known) -> KnownBot | None:
        """Look the bot up by its number at Telegram."""
        return known.by_telegram_id.get(int(target.bot_id))

    def check(self, method: str) -> None:
        """Refuse what libraries call to leave a server. Raises Forbidden."""
        if method.lower() in LITERAL_ONLY:
            raise Forbidden(_STAYS, method=method)

    def refusal(self, error: TgmError) -> TgmError:
        """Return the error in Telegram's words, which libraries search."""
        if isinstance(error, Unauthorized | UnknownBot):
            return Unauthorized(_UNAUTHORIZED)
        if isinstance(error, NotFound):
            return NotFound(_NOT_FOUND)
        if isinstance(error, TooManyRequests):
            return TooManyRequests(
                _TOO_MANY, seconds=error.retry_after, retry_after=error.retry_after
            )
        return error


DROP_IN = DropIn()
