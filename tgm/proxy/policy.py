"""May this key call this method of this bot? Pure rules, no input or output."""

from tgm.keys.snapshot import Known, KnownBot, KnownKey
from tgm.proxy.target import BOT_NOT_FOUND, FileTarget, JobTarget, MethodTarget
from tgm.shared.errors import Forbidden, NotFound, TgmError, Unauthorized


class WrongVerb(TgmError):
    """The address takes other verbs; `allow` names them, for the header."""

    code = 405

    def __init__(self, allow: str) -> None:
        self.allow = allow
        super().__init__("Method Not Allowed: use %(verbs)s", verbs=allow.replace(", ", " or "))


class BadKey(Unauthorized):
    """One wording for every bad key: which kind it is, only the audit log tells."""

    def __init__(self) -> None:
        super().__init__("Unauthorized: the API key is missing, wrong, expired or revoked")


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


def check_again(known: Known, key: KnownKey, bot: KnownBot, method: str, now: float) -> KnownBot:
    """Return the bot as it is now, for a call that has waited since it was let in.

    Raises BadKey where its key works no more at `now` (epoch seconds), and what `bot_for` and
    `check_method` raise. A person, who has no key, has been looked at by others.
    """
    if key.consumer_id:
        found = known.keys_by_id.get(key.id)
        if found is None or found.refusal(now) is not None:
            raise BadKey
        key = found
    current = bot_for(key, known.bots.get(bot.id))
    check_method(key, method)
    return current


def check_file(key: KnownKey) -> None:
    """Raise Forbidden where the key may not download: whoever may not ask for a path, may not."""
    if not key.may_call("getfile"):
        raise Forbidden("Forbidden: files need the method getFile, not allowed for this API key")


def check_verb(target: MethodTarget | FileTarget | JobTarget, verb: str) -> None:
    """Raise WrongVerb where the address does not take it: a file or a job can only be read."""
    allow = ("GET", "POST") if isinstance(target, MethodTarget) else ("GET",)
    if verb not in allow:
        raise WrongVerb(", ".join(allow))
