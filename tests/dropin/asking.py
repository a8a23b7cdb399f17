"""What the tests of receiving share: calls as a library makes them, and updates that come in."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.dropin.conftest import Library
from tests.fakes.serving import Got
from tests.webhook.rows import an_update
from tgm.shared.clock import utcnow
from tgm.webhook import facts
from tgm.webhook.inbox import Inbox

PATIENCE = 10


def ask(library: Library, method: str = "getUpdates", **parameters: Any) -> Got:
    """Call a method with JSON."""
    return library.call(method, json.dumps(parameters).encode())


def ids(answer: Got) -> list[int]:
    """Return the update_ids of getUpdates' good answer."""
    assert answer.status == 200, answer.body
    return [update["update_id"] for update in answer.json["result"]]


def arriving(inbox: Inbox, bot_id: str) -> Callable[..., None]:
    """Return what lets updates come in, as Telegram's webhook or a poll would bring them."""

    def arrive(*update_ids: int, raw: bytes | None = None, hours_ago: float = 0) -> None:
        raws = [raw] if raw else [an_update(number) for number in update_ids]
        at = utcnow() - timedelta(hours=hours_ago)
        inbox.put_many(bot_id, [(one, facts.read(one)) for one in raws], at)

    return arrive
