"""How each bot receives, in memory, so that taking an update in costs no query."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine, select

from tgm.keys.snapshot import Snapshot
from tgm.security.credentials import digest
from tgm.webhook.models import Acknowledge, Reception


@dataclass(frozen=True)
class KnownReception:
    """A reception as the way in needs it.

    `leaves_presses` to the programs that answer them themselves, as far as nobody chose otherwise.
    """

    bot_id: str
    path_digest: str | None = field(repr=False)
    secret_digest: str | None = field(repr=False)
    acknowledge: Acknowledge
    leaves_presses: bool = False


@dataclass(frozen=True)
class _Known:
    revision: int
    by_path: Mapping[str, KnownReception]
    by_bot: Mapping[str, KnownReception]


class Receptions:
    """Knows them all as of the revision that the snapshot of bots and keys has seen.

    Whoever changes what is kept here does it in `tgm.bots.change.changing`.
    """

    def __init__(self, snapshot: Snapshot, engine: Engine) -> None:
        self._snapshot = snapshot
        self._engine = engine
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def by_path(self, path_token: str) -> KnownReception | None:
        """Return the reception that a path token belongs to, None where there is none."""
        wanted = digest(path_token)
        found = self._current().by_path.get(wanted)
        if found is None:
            # Another process may have registered it within the last half second, and Telegram
            # already be posting.
            self._snapshot.drop()
            found = self._current().by_path.get(wanted)
        return found

    def is_at_hand(self, path_token: str) -> bool:
        """Tell whether `by_path` would find this one without asking the database."""
        known, seen = self._known, self._snapshot.at_hand()
        if known is None or seen is None or known.revision != seen.revision:
            return False
        return digest(path_token) in known.by_path

    def of_bot(self, bot_id: str) -> KnownReception | None:
        """Return a bot's reception, None while TGM does not receive its updates."""
        return self._current().by_bot.get(bot_id)

    def _current(self) -> _Known:
        revision = self._snapshot.current().revision
        known = self._known
        if known is not None and known.revision == revision:
            return known
        with self._lock:
            if self._known is None or self._known.revision != revision:
                self._known = self._read(revision)
            return self._known

    def _read(self, revision: int) -> _Known:
        with self._engine.connect() as connection:
            rows = connection.execute(select(Reception.__table__)).all()
        found = [
            KnownReception(
                str(row.bot_id),
                row.path_digest,
                row.secret_digest,
                row.acknowledge,
                row.acknowledge is Acknowledge.AFTER_DELIVERY and not row.is_acknowledge_chosen,
            )
            for row in rows
        ]
        by_path = {each.path_digest: each for each in found if each.path_digest is not None}
        return _Known(revision, by_path, {each.bot_id: each for each in found})
