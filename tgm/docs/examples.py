"""What the page's examples are filled with: this host, a bot and a key of the reader's choice."""

from dataclasses import dataclass

from tgm.bots.models import Bot
from tgm.keys.models import ApiKey
from tgm.security.credentials import KEY_PREFIX

VARIABLE = "TGM_API_KEY"


@dataclass(frozen=True)
class Examples:
    """`bot` and `key` are None where nothing was chosen: the examples then have a place for them.

    Of a key nobody but its owner has more than the last four characters, and it must not stand in
    an address: the examples of a chosen key take it from a variable of the shell.
    """

    base_url: str
    bot: Bot | None = None
    key: ApiKey | None = None

    @property
    def bot_id(self) -> str:
        """What stands for the bot in an address."""
        return "01H..." if self.bot is None else str(self.bot.id)

    @property
    def order_bot_id(self) -> str:
        """The same in the example of an order."""
        return "<botId>" if self.bot is None else str(self.bot.id)

    @property
    def secret(self) -> str:
        """What stands for the key in a header."""
        return "tgm_live_..." if self.key is None else f"${VARIABLE}"

    @property
    def token(self) -> str:
        """What stands for the bot and the key in Telegram's own addresses, for a shell."""
        telegram_id = 123456789 if self.bot is None else self.bot.telegram_id
        rest = "..." if self.key is None else f"${{{VARIABLE}#{KEY_PREFIX}}}"
        return f"{telegram_id}:{rest}"

    @property
    def export(self) -> str:
        """The line that gives the shell the key, once its dots are filled in."""
        return f"export {VARIABLE}=tgm_live_...{self.key.last_four if self.key else ''}"
