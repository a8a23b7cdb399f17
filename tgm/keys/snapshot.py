"""Every key and bot in memory, so that a proxied call costs no query.

The snapshot is compared with the database's revision a few times a second, by whichever call
comes first, and read anew when it has changed: a change takes effect within half a second in every
process, and at once in the one that made it. A key that is new works at once in all of them.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError
from ulid import ULID

from tgm.bots.models import Bot, token_place
from tgm.bots.revision import Revision
from tgm.keys.models import ApiKey, ApiKeyBot
from tgm.keys.patterns import allows

log = logging.getLogger(__name__)

CHECK_SECONDS = 0.375
OLDEST_SECONDS = 0.5
# Somewhat earlier than anybody has to wait for it.
_RENEW_SECONDS = 0.2
_YOUNG_SECONDS = 0.325
# How many looks keys that are not known may cause at once, and then each second: one costs some
# 100 µs.
UNKNOWN_AT_ONCE = 10
UNKNOWN_PER_SECOND = 50


@dataclass(frozen=True)
class KnownBot:
    """A bot as the proxy needs it. The token stays sealed."""

    id: str
    team_id: str
    telegram_id: int
    sealed_token: str = field(repr=False)
    is_disabled: bool
    receiving: str | None
    keeps_pace: bool = False
    api_base_url: str | None = None

    @property
    def own_id(self) -> ULID:
        """The id, as services take it."""
        return ULID.from_str(self.id)

    @property
    def token_place(self) -> str:
        """Where the sealed token belongs, for the vault."""
        return token_place(self.id)


@dataclass(frozen=True)
class KnownKey:
    """A key as the proxy needs it. `bot_ids` is None where it may use all bots of its team.

    `consumer_id` is shared with the keys it was rotated from; "" for a person, who is no program.
    """

    id: str
    team_id: str
    bot_ids: frozenset[str] | None
    patterns: tuple[str, ...]
    per_minute: int | None
    expires_at: float | None
    is_revoked: bool
    consumer_id: str = ""
    _decided: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

    @property
    def team(self) -> ULID:
        """The team's id, as services take it."""
        return ULID.from_str(self.team_id)

    def refusal(self, now: float) -> str | None:
        """Return why the key does not work at `now` (epoch seconds), None when it does."""
        if self.is_revoked:
            return "key_revoked"
        if self.expires_at is not None and now >= self.expires_at:
            return "key_expired"
        return None

    def may_use(self, bot: KnownBot) -> bool:
        """Tell whether the bot is one of the key's."""
        if bot.team_id != self.team_id:
            return False
        return self.bot_ids is None or bot.id in self.bot_ids

    def may_call(self, method: str) -> bool:
        """Tell whether the key's patterns allow `method`."""
        decided = self._decided.get(method)
        if decided is None:
            decided = allows(self.patterns, method)
            # A caller that makes names up must not grow the memory.
            if len(self._decided) < 1000:
                self._decided[method] = decided
        return decided


@dataclass(frozen=True)
class Known:
    """All keys by the hash of their secret, and all bots by id, as of one revision."""

    revision: int
    keys: Mapping[str, KnownKey]
    bots: Mapping[str, KnownBot]

    @cached_property
    def by_telegram_id(self) -> Mapping[int, KnownBot]:
        """The bots by their number at Telegram."""
        return {bot.telegram_id: bot for bot in self.bots.values()}

    @cached_property
    def keys_by_id(self) -> Mapping[str, KnownKey]:
        """The keys by their ids."""
        return {key.id: key for key in self.keys.values()}


class Snapshot:
    """Hands out what is known, never older than half a second."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds that never go back."""
        self._engine = engine
        self._clock = clock
        self._looks_left = float(UNKNOWN_AT_ONCE)
        self._regained_at = clock()
        self._lock = threading.Lock()
        self._known: Known | None = None
        self._checked_at = float("-inf")
        self._is_renewing = False

    def drop(self) -> None:
        """Forget what is known: this process has just changed it."""
        # The lock, since a check under way may have asked before the change was committed.
        with self._lock:
            self._checked_at = float("-inf")

    def at_hand(self) -> Known | None:
        """Return what is known, where it is young enough that nobody has to ask the database.

        For whoever may not wait: a thread of its own asks in time, as long as somebody calls.
        """
        known, age = self._known, self._clock() - self._checked_at
        if age >= _RENEW_SECONDS and not self._is_renewing:
            self._is_renewing = True
            try:
                threading.Thread(target=self._renew, name="tgm-snapshot", daemon=True).start()
            except RuntimeError:
                # The system has no thread to give: whoever asks next tries again.
                self._is_renewing = False
        return known if age < _YOUNG_SECONDS else None

    def _renew(self) -> None:
        try:
            with self._lock:
                self._ask(_RENEW_SECONDS)
        except SQLAlchemyError as error:
            # Calls go on by the threads that answer them, and these say what is wrong.
            log.warning("keys and bots could not be looked at: %s", type(error).__name__)
        finally:
            self._is_renewing = False

    def current(self) -> Known:
        """Return what is known now."""
        known = self._known
        age = self._clock() - self._checked_at
        if known is not None and age < CHECK_SECONDS:
            return known
        must_wait = known is None or age >= OLDEST_SECONDS
        if not self._lock.acquire(blocking=must_wait) and known is not None:
            # Somebody is asking already: nobody else need wait for it.
            return known
        try:
            return self._ask(CHECK_SECONDS)
        finally:
            self._lock.release()

    def key(self, digest: str) -> KnownKey | None:
        """Return the key with this hash of its secret, None where there is none.

        One that is not known may have just been made by another process, so this looks again, but
        not for each of a flood of keys that somebody makes up.
        """
        found = self.current().keys.get(digest)
        if found is not None:
            return found
        with self._lock:
            now = self._clock()
            regained = (now - self._regained_at) * UNKNOWN_PER_SECOND
            self._looks_left = min(UNKNOWN_AT_ONCE, self._looks_left + regained)
            self._regained_at = now
            if self._looks_left < 1:
                return None
            self._looks_left -= 1
            return self._ask(oldest=0).keys.get(digest)

    def _ask(self, oldest: float) -> Known:
        # The time is taken before the query: a change during it is seen by the next check.
        asked_at = self._clock()
        if self._known is not None and asked_at - self._checked_at < oldest:
            return self._known
        with self._engine.connect() as connection:
            number = connection.scalar(select(Revision.number)) or 0
            if self._known is None or self._known.revision != number:
                self._known = _read(connection, number)
        self._checked_at = asked_at
        return self._known


def _read(connection: Connection, revision: int) -> Known:
    bots = {
        str(row.id): KnownBot(
            id=str(row.id),
            team_id=str(row.team_id),
            telegram_id=row.telegram_id,
            sealed_token=row.sealed_token,
            is_disabled=row.disabled_at is not None,
            receiving=row.receiving,
            api_base_url=row.api_base_url,
            keeps_pace=row.keeps_pace,
        )
        for row in connection.execute(select(Bot.__table__))
    }
    allowed: dict[str, set[str]] = {}
    for key_id, bot_id in connection.execute(select(ApiKeyBot.key_id, ApiKeyBot.bot_id)):
        allowed.setdefault(str(key_id), set()).add(str(bot_id))
    keys = {
        row.digest: KnownKey(
            id=str(row.id),
            team_id=str(row.team_id),
            bot_ids=None if row.all_bots else frozenset(allowed.get(str(row.id), ())),
            patterns=tuple(row.methods.split()),
            per_minute=row.per_minute,
            expires_at=None if row.expires_at is None else row.expires_at.timestamp(),
            is_revoked=row.revoked_at is not None,
            consumer_id=str(row.consumer_id or row.id),
        )
        for row in connection.execute(select(ApiKey.__table__))
    }
    return Known(revision, MappingProxyType(keys), MappingProxyType(bots))
