"""A bot token, which cannot print itself."""

import re
from dataclasses import dataclass

from tgm.security.secret import Secret

# BotFather's tokens: the bot's numeric id, a colon, and (today) 35 characters.
_FORM = re.compile(r"(\d{3,20}):[A-Za-z0-9_-]{20,128}", re.ASCII)


@dataclass(frozen=True, repr=False)
class BotToken(Secret):
    """A token in BotFather's form, and the Bot API server that knows its bot.

    `server` is that server's base URL, None for TELEGRAM_API_BASE_URL.
    """

    server: str | None = None

    @classmethod
    def parse(cls, text: str) -> "BotToken | None":
        """Return the token, or None when `text` does not have a token's form."""
        return cls(text) if _FORM.fullmatch(text) else None

    @property
    def telegram_id(self) -> int:
        """The bot's numeric id, which Telegram puts before the colon."""
        return int(self.value.partition(":")[0])
