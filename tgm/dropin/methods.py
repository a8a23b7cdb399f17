"""The methods that TGM answers itself, on every way in."""

from collections.abc import Mapping

from tgm.dropin.consumers import Consumers
from tgm.dropin.polls import Polls
from tgm.dropin.receiving import GetUpdates
from tgm.dropin.webhooks import Webhooks
from tgm.proxy.served import Server


def served(consumers: Consumers, polls: Polls) -> Mapping[str, Server]:
    """Return what answers each of them, by their names in lower case."""
    webhooks = Webhooks(consumers, polls)
    return {
        "getupdates": GetUpdates(consumers, polls),
        "setwebhook": webhooks.set,
        "deletewebhook": webhooks.delete,
        "getwebhookinfo": webhooks.info,
    }
