"""getUpdates, answered from TGM's own store, for each program by itself."""

import json
from collections.abc import Mapping
from typing import Any

from tgm.audit.service import Actor
from tgm.dropin.answers import updates
from tgm.dropin.consumers import Consumers, Place, Standing
from tgm.dropin.polls import Poll, Polls
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.served import ServedCall
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict, Forbidden
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook import programs

MOST_UPDATES = 100
LONGEST_SECONDS = 50
_HAS_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
_HANDED_BACK = (
    "Conflict: this bot has been handed back to another program; "
    "to receive its updates here again, switch receiving on at the bot's page"
)
_FOR_PROGRAMS = (
    "Forbidden: %(method)s is for programs with an API key; "
    "the bot's page says how its updates are received"
)


class GetUpdates:
    """Answers getUpdates."""

    def __init__(self, consumers: Consumers, polls: Polls) -> None:
        self._consumers = consumers
        self._polls = polls

    def __call__(self, call: ServedCall) -> ProxyAnswer:
        """Return what waits, or wait for it.

        Raises Forbidden for a person, and what switching the bot's receiving on raises.
        """
        given, now = call.parameters, utcnow()
        standing = begun(self._consumers, call)
        check_receiving(call)
        if standing.has_endpoint:
            raise Conflict(_HAS_WEBHOOK)
        self._polls.end_other(standing.place)
        self._consumers.seen(standing, now)
        if "allowed_updates" in given:
            wanted = kinds(given["allowed_updates"])
            if wanted and tuple(wanted) != standing.kinds:
                programs.receive(call.key.team, call.bot.own_id, actor(call), wanted)
            standing = self._consumers.ask_for(standing, wanted)
        standing = self._consumers.confirm(standing, number(given, "offset", 0))
        limit = number(given, "limit", MOST_UPDATES)
        limit = limit if 1 <= limit <= MOST_UPDATES else MOST_UPDATES
        found = self._consumers.waiting(standing, limit, now)
        seconds = min(max(number(given, "timeout", 0), 0), LONGEST_SECONDS)
        if found or seconds == 0:
            return updates(found)
        return self._polls.park(Poll(standing, limit, seconds, call))


def begun(consumers: Consumers, call: ServedCall) -> Standing:
    """Return how far the program has come; its first call switches the bot's receiving on."""
    key, bot = call.key, call.bot
    if not key.consumer_id:
        raise Forbidden(_FOR_PROGRAMS, method=call.method)
    standing = consumers.standing(Place(key.consumer_id, bot.id))
    if standing is None:
        # First its place, then what comes in: so it misses nothing.
        standing = consumers.begin(key, bot, actor(call))
        try:
            programs.receive(key.team, bot.own_id, actor(call))
        except Exception:
            # Its next call is its first one again, and tries again.
            consumers.forget(standing)
            raise
    return standing


def check_receiving(call: ServedCall) -> None:
    """Raise Conflict where a person has handed the bot back since the program's first call.

    A program that goes on asking must not take the bot away from whoever has it now.
    """
    if call.bot.receiving is None and not programs.is_received(call.bot.own_id):
        raise Conflict(_HANDED_BACK)


def actor(call: ServedCall) -> Actor:
    """Return who acts: the key, from its address."""
    return Actor("API key", call.environ.get("REMOTE_ADDR"))


def number(given: Mapping[str, Any], name: str, missing: int) -> int:
    """Return a whole number; what is none counts as missing, as at Telegram."""
    value = given.get(name, missing)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(int(value)) if abs(value) < 2**63 else ""
    try:
        found = int(str(value).strip())
    except ValueError:
        return missing
    return found if -(2**63) < found < 2**63 else missing


def kinds(value: object) -> list[str]:
    """Return the kinds of update in a list, which a form carries as JSON; unknown ones are left
    out, as at Telegram."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = []
    wanted = {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()
    return [kind for kind in UPDATE_KINDS if kind in wanted]
