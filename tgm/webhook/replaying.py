"""Replays that run in the background, for a screen to watch."""

import logging
import threading
import time
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError
from ulid import ULID

from tgm.audit.service import Actor
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, NotFound
from tgm.webhook.replay import Filter, Replay, begin

log = logging.getLogger(__name__)

_REMEMBERED = 100


@dataclass
class Replays:
    """This process's replays. One that its process leaves unfinished can be begun again."""

    _known: dict[ULID, Replay] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, team_id: ULID, wanted: Filter, actor: Actor) -> Replay:
        """Begin to deliver all that match again, and return at once."""
        replay = begin(team_id, wanted, actor)
        with self._lock:
            self._known[replay.id] = replay
            over = [each.id for each in self._known.values() if each.is_over]
            for old in over[: max(0, len(self._known) - _REMEMBERED)]:
                del self._known[old]
        thread = threading.Thread(target=self._run, args=(replay,), name="tgm-replay", daemon=True)
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()
        return replay

    def get(self, team_id: ULID, replay_id: ULID) -> Replay:
        """Return a replay, to ask it how far it is. Raises NotFound."""
        with self._lock:
            replay = self._known.get(replay_id)
        if replay is None or replay.team_id != team_id:
            raise NotFound(N_("There is no such replay."))
        return replay

    def join(self, seconds: float | None = None) -> None:
        """Wait for those under way, each `seconds` at most."""
        for thread in list(self._threads):
            thread.join(seconds)

    def _run(self, replay: Replay) -> None:
        while not replay.is_over:
            try:
                pause = replay.step(utcnow()).total_seconds()
            except SQLAlchemyError as error:
                log.warning("a replay will go on: %s", type(error).__name__)
                pause = 1.0
            time.sleep(pause)


replays = Replays()
