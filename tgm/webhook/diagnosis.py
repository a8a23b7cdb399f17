"""The Doctor's rules: from facts to findings. Pure; what TGM sees itself is in `local_checks`."""

from collections.abc import Iterator
from datetime import timedelta

from tgm.shared.errors import N_, TgmError
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.telegram.errors import TelegramRefused
from tgm.webhook import local_checks
from tgm.webhook.findings import Facts, Finding, Hook, Me, Receiving, Repair, Source, Verdict, Whose
from tgm.webhook.models import Mode

# Telegram sends these only where they are asked for by name.
ASKED_FOR = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
MANY = 100
RECENT = timedelta(hours=1)
_REFUSES_TOKEN = {401, 404}
_WORST_FIRST = (Verdict.ATTENTION, Verdict.UNKNOWN, Verdict.GOOD, Verdict.NOTE)
_SAYS = Source.TELEGRAM


class TokenSealed(TgmError):
    """The bot's token cannot be opened: its encryption key is not there."""

    def __init__(self) -> None:
        super().__init__(N_("The token cannot be opened: its key is not in ENCRYPTION_KEYS."))


def examine(facts: Facts) -> list[Finding]:
    """Return what there is to say: Telegram's part first, and in each part the worst first."""
    found = [*_telegram(facts), *local_checks.examine(facts)]
    return sorted(found, key=lambda one: (one.source is not _SAYS, _WORST_FIRST.index(one.verdict)))


def _telegram(facts: Facts) -> Iterator[Finding]:
    me, hook = facts.me, facts.hook
    if isinstance(me, TgmError):
        # Without a token that works there is nothing more to ask.
        yield _no_answer(N_("The token"), me)
    else:
        text = N_("Telegram knows it: it belongs to @%(username)s.")
        yield Finding(_SAYS, Verdict.GOOD, N_("The token"), text, {"username": me.username})
        yield from _groups(me)
        if isinstance(hook, TgmError):
            yield _no_answer(N_("The webhook"), hook)
    if isinstance(hook, Hook):
        yield _where(hook, facts.receiving)
        yield _waiting(hook, facts)
        yield from _errors(hook, facts)
        yield from _kinds(hook, facts.receiving)
        if hook.ip:
            text = N_("Telegram sends updates to the IP address %(ip)s.")
            what = N_("The address Telegram uses")
            yield Finding(_SAYS, Verdict.NOTE, what, text, {"ip": hook.ip})


def _no_answer(what: str, error: TgmError) -> Finding:
    verdict: Verdict = Verdict.ATTENTION
    repairs: tuple[Repair, ...] = (Repair.REPLACE_TOKEN,)
    if isinstance(error, TokenSealed):
        text = N_("TGM cannot read the bot's token, so no call for it can go out.")
    elif isinstance(error, TelegramRefused) and error.code in _REFUSES_TOKEN:
        text = N_("Telegram does not take the token any more: @BotFather may have revoked it.")
    elif isinstance(error, TelegramRefused):
        text = N_("Telegram did not want to say it now. Examine again in a while.")
        verdict, repairs = Verdict.UNKNOWN, ()
    else:
        text = N_("There was no answer: this says nothing about the bot itself.")
        verdict, repairs = Verdict.UNKNOWN, ()
    return Finding(_SAYS, verdict, what, text, said=error, repairs=repairs)


def _groups(me: Me) -> Iterator[Finding]:
    if me.sees_groups is None:
        return
    text = N_(
        "Privacy mode is on: in groups the bot sees only commands, and replies to it, unless it is"
        " an admin there. @BotFather's /setprivacy changes that."
    )
    if me.sees_groups:
        text = N_("Privacy mode is off: the bot sees every message of its groups.")
    yield Finding(_SAYS, Verdict.NOTE, N_("Messages in groups"), text)


def _where(hook: Hook, receiving: Receiving | None) -> Finding:
    what, host = N_("Where updates go"), {"host": hook.host}
    if receiving is None:
        text = N_("Nowhere: the bot has no webhook.")
        if hook.whose is not Whose.NOBODY:
            text = N_("To %(host)s: another program receives them.")
        return Finding(_SAYS, Verdict.NOTE, what, text, host)
    if receiving.mode is Mode.POLLING:
        if hook.whose is Whose.NOBODY:
            text = N_("No webhook is in the way: TGM can fetch them.")
            return Finding(_SAYS, Verdict.GOOD, what, text)
        text = N_("To %(host)s, by a webhook that somebody has set: TGM fetches nothing any more.")
    elif hook.whose is Whose.OURS:
        text = N_("To this TGM, at %(host)s.")
        return Finding(_SAYS, Verdict.GOOD, what, text, host)
    elif hook.whose is Whose.FORMER:
        text = N_("To %(host)s: that is not this TGM's address of today.")
    elif hook.whose is Whose.OTHER:
        text = N_("To %(host)s: somebody else has set the bot's webhook.")
    else:
        text = N_("Nowhere: somebody has removed the webhook. Telegram keeps updates for a day.")
    return Finding(_SAYS, Verdict.ATTENTION, what, text, host, repairs=(Repair.TAKE_BACK,))


def _waiting(hook: Hook, facts: Facts) -> Finding:
    what, count = N_("Waiting at Telegram"), {"count": hook.pending}
    if hook.pending == 0:
        return Finding(_SAYS, Verdict.GOOD, what, N_("No update waits there."))
    if _is_failing(hook, facts):
        text = N_("Updates that wait there: %(count)s. Telegram cannot deliver them.")
    elif hook.pending >= MANY:
        text = N_("Updates that wait there: %(count)s. That is more than there should be.")
    else:
        text = N_("Updates that wait there: %(count)s. They are on their way.")
        return Finding(_SAYS, Verdict.GOOD, what, text, count)
    return Finding(_SAYS, Verdict.ATTENTION, what, text, count)


def _is_failing(hook: Hook, facts: Facts) -> bool:
    """Tell whether Telegram's last error is of now: it is recent, and something waits."""
    if hook.error is None or hook.pending == 0:
        return False
    return hook.error_at is None or facts.now - hook.error_at < RECENT


def _errors(hook: Hook, facts: Facts) -> Iterator[Finding]:
    what, said, at = N_("Telegram's last error"), hook.error, hook.error_at
    if said is None:
        yield Finding(_SAYS, Verdict.GOOD, what, N_("Telegram has met no error with this webhook."))
    elif hook.whose not in {Whose.OURS, Whose.FORMER}:
        text = N_("It is about a webhook that is not this TGM's.")
        yield Finding(_SAYS, Verdict.NOTE, what, text, said=said, at=at)
    elif _is_failing(hook, facts):
        text = N_("Telegram could not deliver to this TGM. It goes on trying by itself.")
        repairs = (Repair.SET_BASE_URL, Repair.USE_POLLING)
        yield Finding(_SAYS, Verdict.ATTENTION, what, text, said=said, at=at, repairs=repairs)
    else:
        text = N_("It has passed.")
        yield Finding(_SAYS, Verdict.GOOD, what, text, said=said, at=at)
    if hook.trouble_at is not None and facts.now - hook.trouble_at < RECENT:
        what = N_("Telegram's own trouble")
        text = N_("Its data centres could not agree on this bot's updates for a while.")
        yield Finding(_SAYS, Verdict.NOTE, what, text, at=hook.trouble_at)


def _kinds(hook: Hook, receiving: Receiving | None) -> Iterator[Finding]:
    # Polling asks anew each time: what Telegram remembers does not matter then.
    if receiving is None or receiving.mode is not Mode.WEBHOOK or hook.whose is not Whose.OURS:
        return
    sent = set(UPDATE_KINDS) - ASKED_FOR if hook.kinds is None else set(hook.kinds)
    missing = [kind for kind in receiving.kinds if kind not in sent]
    what = N_("Kinds of update that Telegram sends")
    if missing:
        text = N_("TGM has asked for these too, and Telegram does not send them: %(kinds)s.")
        kinds, repairs = {"kinds": ", ".join(missing)}, (Repair.REGISTER, Repair.CHOOSE_KINDS)
        yield Finding(_SAYS, Verdict.ATTENTION, what, text, kinds, repairs=repairs)
    else:
        yield Finding(_SAYS, Verdict.GOOD, what, N_("All that TGM has asked for."))
