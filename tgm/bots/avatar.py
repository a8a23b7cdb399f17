"""What stands for a bot beside its name: its own photo, or else its first letter."""

from dataclasses import dataclass

from ulid import ULID

COLOURS = 6


@dataclass(frozen=True)
class Avatar:
    """`photo` says which photo the bot has, None where it has none."""

    bot_id: ULID
    name: str
    photo: str | None = None

    @property
    def initial(self) -> str:
        """The letter that stands for a bot without a photo."""
        return next((sign for sign in self.name if sign.isalnum()), "?").upper()

    @property
    def colour(self) -> int:
        """Which of the few colours the bot has: always the same one."""
        return int(self.bot_id) % COLOURS
