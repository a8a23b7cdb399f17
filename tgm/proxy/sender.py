"""Making queued calls: in the order of each chat, at the bot's pace, and none twice."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tgm.keys.snapshot import KnownBot, Snapshot
from tgm.proxy.jobs import Due, Jobs
from tgm.proxy.making import Maker
from tgm.proxy.pace import Paced, PaceReached, Slot
from tgm.proxy.room import Room
from tgm.shared.clock import utcnow

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
MOST_AT_ONCE = 64
# So that a bot whose calls hang leaves room for others.
_MOST_OF_A_BOT = 16
# How far ahead a job takes its turn, so that calls which are held do not take every one.
_AHEAD_SECONDS = 1.0


class Owner(Protocol):
    """The process's own id, and how it hears of those that are gone: `tgm.webhook.owners`."""

    id: str

    def bury(self, release: Callable[[str], object]) -> list[str]:
        """Call `release` with the id of each one that is gone."""

    def close(self) -> None:
        """Let go."""


class Sender:
    """Makes the calls in the background. `wake` says that there is a new one."""

    def __init__(
        self,
        jobs: Jobs,
        pace: Paced,
        maker: Maker,
        snapshot: Snapshot,
        *,
        clock: Callable[[], datetime] = utcnow,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._jobs = jobs
        self._pace = pace
        self._maker = maker
        self._snapshot = snapshot
        self._clock = clock
        self._look_seconds = look_seconds
        self._room = Room("tgm-send", most_threads=MOST_AT_ONCE)
        self._taken: dict[int, str] = {}
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._owner: Owner | None = None
        self._looker = threading.Thread(target=self._look, name="tgm-sender", daemon=True)

    def start(self, owner: Owner) -> None:
        """Settle what dead processes of this box were making, then begin in the background."""
        self._owner = owner
        owner.bury(lambda gone: self._jobs.bury(gone, self._clock()))
        self._looker.start()

    def wake(self) -> None:
        """Look now. Costs nothing, and may be called from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """Begin nothing more, and wait a little for what is under way. The rest stays queued."""
        self._stopping.set()
        self._woken.set()
        if self._looker.is_alive():
            self._looker.join(5)
        self._room.close()
        if self._owner is not None:
            self._owner.close()

    def _look(self) -> None:
        while not self._stopping.is_set():
            begun = time.monotonic()
            self._woken.clear()
            try:
                self.hand_out()
            except Exception:
                log.exception("queued calls could not be looked for")
                self._stopping.wait(1)
            # A look that took long, since very many wait, is not repeated at once.
            self._stopping.wait(min(0.2, 2 * (time.monotonic() - begun)))
            self._woken.wait(self._look_seconds)

    def hand_out(self) -> None:
        """Give a turn to whatever may be sent now."""
        bots = self._snapshot.current().bots
        for bot_id in self._jobs.bots():
            bot = bots.get(bot_id)
            if bot is None or bot.is_disabled:
                # It waits until the bot is enabled, for a day at most.
                continue
            for due in self._jobs.due(bot_id, self._clock(), 2 * MOST_AT_ONCE):
                with self._lock:
                    of_this = sum(taken == bot_id for taken in self._taken.values())
                    is_full = len(self._taken) >= MOST_AT_ONCE
                if is_full or of_this >= _MOST_OF_A_BOT or not self._give_turn(bot, due):
                    break

    def _give_turn(self, bot: KnownBot, due: Due) -> bool:
        """Return False where no other of the bot's would get a turn, either."""
        if due.seq in self._taken:
            return True
        try:
            slot = self._pace.take(
                self._room.clock(),
                bot.id,
                patience=_AHEAD_SECONDS if bot.keeps_pace else 0,
                messages=due.messages if bot.keeps_pace else 0,
                chat=due.chat or None,
                once=f"job {due.seq}",
            )
        except PaceReached as error:
            return not error.is_full
        with self._lock:
            self._taken[due.seq] = bot.id
        self._room.put(_Turn(self, due, slot))
        return True

    def end_turn(self, due: Due, slot: Slot | None = None) -> None:
        """Let the next of its chat go on. A turn that was not used is handed in."""
        if slot is not None:
            self._pace.give_back(slot)
        with self._lock:
            self._taken.pop(due.seq, None)
        self._woken.set()

    def send(self, due: Due, slot: Slot) -> None:
        """Make the call, if it is still to be made, and keep how it ended."""
        assert self._owner is not None, "it has started"  # noqa: S101
        is_used = False
        try:
            if self._pace.look(slot) > self._room.clock():
                # Telegram has asked for a pause meanwhile.
                return
            now = self._clock()
            job = self._jobs.claim(due.seq, self._owner.id, now, now + self._maker.lease)
            if job is not None:
                is_used = True
                self._maker.make(job, self._owner.id, self._clock)
        finally:
            self.end_turn(due, None if is_used else slot)


@dataclass(frozen=True)
class _Turn:
    """A job that has its turn: see `room.Errand`."""

    sender: Sender
    job: Due
    slot: Slot

    @property
    def due(self) -> float:
        return self.slot.at

    def run(self) -> None:
        self.sender.send(self.job, self.slot)

    def turn_away(self) -> None:
        self.sender.end_turn(self.job, self.slot)
