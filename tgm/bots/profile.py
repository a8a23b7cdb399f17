"""Asking Telegram whose token it is."""

from contextlib import closing
from dataclasses import dataclass

from tgm.bots.names import fitted
from tgm.extensions import runtime
from tgm.shared.errors import N_, Invalid
from tgm.telegram.errors import Failure, TelegramRefused, TelegramUnreachable
from tgm.telegram.token import BotToken

# A person waits for it at a form: shorter than what a call may take.
_PATIENCE_SECONDS = 15
# Telegram's ids have at most 52 significant bits; a column of 64 holds them.
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Profile:
    """A bot as Telegram knows it."""

    telegram_id: int
    username: str
    name: str


def parse_token(text: str) -> BotToken:
    """Return the token in `text`. Raises Invalid, which does not repeat what was given."""
    token = BotToken.parse(text.strip())
    if token is None:
        raise Invalid(
            N_("This is no bot token. BotFather's tokens look like 123456789:AAbbCC…"),
            field="token",
        )
    return token


def ask(token: BotToken) -> Profile:
    """Return who the token's bot is, by getMe. Never inside a transaction that writes.

    Raises Invalid where Telegram does not know the token, TelegramRefused and TelegramUnreachable
    where it cannot say; all of them name the field `token`.
    """
    try:
        with closing(runtime.telegram.within(_PATIENCE_SECONDS)) as telegram:
            return _read(token, telegram.call(token, "getMe"))
    except TelegramRefused as refused:
        if refused.code in {401, 404}:
            raise Invalid(
                N_("Telegram does not know this token. Please copy it from BotFather again."),
                field="token",
            ) from None
        refused.field = "token"
        raise
    except TelegramUnreachable as unreachable:
        unreachable.field = "token"
        raise


def _read(token: BotToken, result: object) -> Profile:
    given = result if isinstance(result, dict) else {}
    number, username, name = (given.get(key) for key in ("id", "username", "first_name"))
    # Whatever answers for Telegram must speak of the token's own bot.
    if number != token.telegram_id or number > _LARGEST_ID or not isinstance(username, str):
        raise TelegramUnreachable(Failure.PROTOCOL)
    username = fitted(username)
    return Profile(number, username, fitted(str(name or "")) or username)
