"""Who calls, and how often: the API key and its limit."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tgm.audit.service import Actor, record
from tgm.keys.snapshot import KnownKey, Snapshot
from tgm.proxy.policy import BadKey
from tgm.security.credentials import digest, is_api_key
from tgm.shared.errors import TooManyRequests
from tgm.shared.ids import parse_id
from tgm.shared.limits import Limits, LimitState, per_minute, per_seconds
from tgm.shared.networks import network_of

log = logging.getLogger(__name__)

BAD_KEYS_PER_MINUTE = 20
_LIMITED = "Rate limit exceeded"
_HOUR = 3600


class RateLimited(TooManyRequests):
    """A limit is reached; `state` says which, for the headers."""

    def __init__(self, state: LimitState) -> None:
        self.state = state
        super().__init__(_LIMITED, retry_after=state.retry_after)


class Callers:
    """Knows the keys and counts their calls."""

    def __init__(
        self, snapshot: Snapshot, limits: Limits, engine: Engine, *, calls_per_minute: int
    ) -> None:
        """`calls_per_minute` holds for keys without a rate of their own."""
        self._snapshot = snapshot
        self._limits = limits
        self._engine = engine
        self._calls_per_minute = calls_per_minute

    def identify(self, shown: str, address: str) -> KnownKey:
        """Return the key that a request from `address` shows.

        Raises BadKey for any bad one, RateLimited after too many from one address. A good key
        is never held up by bad ones.
        """
        if not shown:
            raise BadKey
        key = self._snapshot.key(digest(shown)) if is_api_key(shown) else None
        reason = key.refusal(time.time()) if key is not None else "key_unknown"
        if key is not None and reason is None:
            return key
        state = self._limits.hit(per_minute(BAD_KEYS_PER_MINUTE), "bad-keys", network_of(address))
        if not state.allowed:
            raise RateLimited(state)
        if key is not None:
            self._note(key, str(reason), address)
        raise BadKey

    def count(self, key: KnownKey) -> LimitState:
        """Count a call against the key's limit, and tell where it stands."""
        return self._limits.hit(per_minute(key.per_minute or self._calls_per_minute), "key", key.id)

    def _note(self, key: KnownKey, reason: str, address: str) -> None:
        # Once an hour and key: a program left running with a revoked key must not fill the log.
        if not self._limits.hit(per_seconds(1, _HOUR), "noted", key.id, reason).allowed:
            return
        with Session(self._engine) as session, session.begin():
            record(
                session,
                Actor("API key", address),
                "key.refused",
                team_id=parse_id(key.team_id),
                subject_id=key.id,
                reason=reason,
            )


def shows_key(headers: Mapping[str, str]) -> bool:
    """Tell from a request's headers (names as in CGI, without HTTP_) whether a key is shown.

    Whether it is a good one, `identify` tells; this is asked before the body is taken in.
    """
    named = {f"HTTP_{name}": headers.get(name, "") for name in ("X_API_KEY", "AUTHORIZATION")}
    return is_api_key(presented_key(named))


def presented_key(environ: Mapping[str, Any]) -> str:
    """Return the key from X-API-Key or Authorization: Bearer, "" where there is none."""
    shown = str(environ.get("HTTP_X_API_KEY", "")).strip()
    if shown:
        return shown
    scheme, _, rest = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""
