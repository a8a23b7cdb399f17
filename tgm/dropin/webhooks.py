"""setWebhook, deleteWebhook and getWebhookInfo: an endpoint for each program, in TGM.

Telegram's own webhook is TGM's, and no program touches it.
"""

import json
import re
from typing import Any

from ulid import ULID

from tgm.dropin.answers import ok
from tgm.dropin.consumers import HELD_BACK, USUAL, Consumers, Place, Standing
from tgm.dropin.polls import ENDED_BY_WEBHOOK, Polls
from tgm.dropin.receiving import actor, begun, check_receiving, kinds, number
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.served import ServedCall
from tgm.security.secret import Secret
from tgm.shared.clock import utcnow
from tgm.shared.errors import Invalid, TgmError
from tgm.webhook import endpoints, programs
from tgm.webhook.programs import Webhook

_MOST_CONNECTIONS = 100
_USUAL_CONNECTIONS = 40
_SECRET_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_TRUE = frozenset({"true", "1", "yes"})


class Webhooks:
    """Answers the three methods."""

    def __init__(self, consumers: Consumers, polls: Polls) -> None:
        self._consumers = consumers
        self._polls = polls

    def set(self, call: ServedCall) -> ProxyAnswer:
        """Make or change the program's endpoint; an empty URL removes it.

        Raises TgmError for what cannot be taken, Forbidden for a person.
        """
        given = call.parameters
        if not str(given.get("url") or "").strip():
            return self.delete(call)
        standing = begun(self._consumers, call)
        check_receiving(call)
        if "allowed_updates" in given:
            standing = self._consumers.ask_for(standing, kinds(given["allowed_updates"]))
        wanted = _wanted(call, standing)
        drops = _is_true(given.get("drop_pending_updates"))
        waiting = (standing.cursor, utcnow() - HELD_BACK)
        programs.receive(call.key.team, call.bot.own_id, actor(call), wanted.kinds)
        try:
            programs.put(
                call.key.team,
                call.bot.own_id,
                _consumer_id(standing),
                wanted,
                waiting_since=None if drops else waiting,
                actor=actor(call),
            )
        except Invalid as error:
            raise TgmError("Bad Request: bad webhook: %(why)s", why=error.description) from None
        self._consumers.let_go(standing)
        self._polls.end_other(standing.place, ENDED_BY_WEBHOOK)
        return ok(b"true", "Webhook was set")

    def delete(self, call: ServedCall) -> ProxyAnswer:
        """Remove the program's endpoint; what has not reached it waits for getUpdates."""
        standing = begun(self._consumers, call)
        drops = _is_true(call.parameters.get("drop_pending_updates"))
        endpoint = programs.endpoint_of(call.bot.own_id, _consumer_id(standing))
        newest = self._consumers.newest([call.bot.id]).get(call.bot.id, 0)
        if endpoint is not None:
            first = None if drops else programs.first_waiting(endpoint)
            self._consumers.move(standing, newest if first is None else first - 1)
            endpoints.remove(call.key.team, endpoint.id, actor(call))
            return ok(b"true", "Webhook was deleted")
        if drops:
            self._consumers.move(standing, newest)
        return ok(b"true", "Webhook is already deleted")

    def info(self, call: ServedCall) -> ProxyAnswer | None:
        """Describe the program's endpoint. A person hears what Telegram says of TGM's."""
        if not call.key.consumer_id:
            return None
        standing = self._consumers.standing(Place(call.key.consumer_id, call.bot.id))
        found: dict[str, Any] = {
            "url": "",
            "has_custom_certificate": False,
            "pending_update_count": 0,
        }
        if standing is not None:
            endpoint = programs.endpoint_of(call.bot.own_id, _consumer_id(standing))
            if endpoint is None:
                found["pending_update_count"] = self._consumers.pending(standing, utcnow())
            else:
                found["url"] = endpoint.url
                found["pending_update_count"] = programs.count_waiting(endpoint)
                found["max_connections"] = endpoint.max_connections
                if endpoint.last_error is not None:
                    since = endpoint.failing_since or utcnow()
                    found["last_error_date"] = int(since.timestamp())
                    found["last_error_message"] = endpoint.last_error
            if standing.kinds is not None:
                found["allowed_updates"] = list(standing.kinds)
        return ok(json.dumps(found).encode())


def _wanted(call: ServedCall, standing: Standing) -> Webhook:
    given = call.parameters
    if given.get("certificate"):
        raise TgmError(
            "Bad Request: bad webhook: TGM takes no certificate; use one that is publicly trusted"
        )
    token = str(given.get("secret_token") or "")
    if token and not _SECRET_TOKEN.fullmatch(token):
        raise TgmError(
            "Bad Request: secret token has 1 to 256 characters, letters, digits, _ and - only"
        )
    most = number(given, "max_connections", _USUAL_CONNECTIONS)
    return Webhook(
        url=str(given["url"]),
        kinds=standing.kinds or USUAL,
        max_connections=most if 1 <= most <= _MOST_CONNECTIONS else _USUAL_CONNECTIONS,
        secret_token=Secret(token) if token else None,
        # As at Telegram, an answer may name a method to call; but not for a key that may not.
        takes_answers="*" in call.key.patterns,
    )


def _is_true(value: object) -> bool:
    return value is True or str(value).strip().lower() in _TRUE


def _consumer_id(standing: Standing) -> ULID:
    return ULID.from_str(standing.place.consumer_id)
