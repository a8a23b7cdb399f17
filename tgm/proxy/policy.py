"""May this key call this method of this bot? Pure rules, no input or output."""

from tgm.keys.snapshot import KnownBot, KnownKey
from tgm.proxy.target import BOT_NOT_FOUND
from tgm.shared.errors import Forbidden, NotFound, TgmError


class WrongVerb(TgmError):
    """The address takes other verbs; `allow` names them, for the header."""

    code = 405

    def __init__(self, allow: str) -> None:
        self.allow = allow
        super().__init__("Method Not Allowed: use %(verbs)s", verbs=allow.replace(", ", " or "))


class UnknownBot(NotFound):
    """The key has no such bot."""

    def __init__(self) -> None:
        super().__init__(BOT_NOT_FOUND)


def bot_for(key: KnownKey, bot: KnownBot | None) -> KnownBot:
    """Return the bot if it is one of the key's. Raises UnknownBot, Forbidden when it is disabled.

    Another team's bot, and one that the key is not for, look like one that does not exist.
    """
    if bot is None or not key.may_use(bot):
        raise UnknownBot
    if bot.is_disabled:
        raise Forbidden("Forbidden: bot is disabled")
    return bot


def check_method(key: KnownKey, method: str) -> None:
    """Raise Forbidden where the key's patterns do not allow `method`."""
    if not key.may_call(method.lower()):
        raise Forbidden(
            "Forbidden: method %(method)s is not allowed for this API key", method=method
        )


def check_file(key: KnownKey, verb: str) -> None:
    """Raise Forbidden where the key may not download: whoever may not ask for a path, may not.

    Raises WrongVerb for anything but GET.
    """
    check_reading(verb)
    if not key.may_call("getfile"):
        raise Forbidden("Forbidden: files need the method getFile, not allowed for this API key")


def check_reading(verb: str) -> None:
    """Raise WrongVerb for anything but GET."""
    if verb != "GET":
        raise WrongVerb("GET")
