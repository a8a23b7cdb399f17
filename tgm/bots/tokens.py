"""Opening a bot's token, wherever it was read from: it says which server knows the bot."""

from typing import Protocol

from tgm.security.vault import Vault
from tgm.telegram.token import BotToken


class HoldsToken(Protocol):
    """Whatever was read of a bot: its sealed token, and the Bot API server that the bot is at."""

    @property
    def sealed_token(self) -> str: ...

    @property
    def token_place(self) -> str: ...

    @property
    def api_base_url(self) -> str | None: ...


def opened(vault: Vault, holder: HoldsToken) -> BotToken:
    """Open a bot's token. Raises SealBroken."""
    value = vault.open(holder.sealed_token, place=holder.token_place)
    return BotToken(value, holder.api_base_url)
