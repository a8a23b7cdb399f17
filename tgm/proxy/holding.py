"""A call that is held back until its turn comes, without holding a thread meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tgm.live.channel import HOLD, Line
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.later import Later, made
from tgm.proxy.pace import Paced, PaceReached, Slot
from tgm.proxy.room import Room
from tgm.shared.marks import GATEWAY


@dataclass(frozen=True)
class Held:
    """What is held: `make` makes the call, and may raise.

    `refusal` makes an error an answer. `give_up` undoes what was begun for a call that is not made.
    """

    environ: Mapping[str, Any] = field(repr=False)
    slot: Slot
    make: Callable[[], ProxyAnswer]
    refusal: Callable[[Exception], ProxyAnswer]
    give_up: Callable[[], None] | None

    def made(self) -> ProxyAnswer:
        """Make the call and return the whole answer, or what it came to instead."""
        return made(self.make, self.refusal)

    def refused(self, seconds: float) -> ProxyAnswer:
        """Return the answer to a call that is not made."""
        if self.give_up is not None:
            self.give_up()
        return self.refusal(PaceReached(seconds))


class Holding:
    """Holds calls. One for the whole process, shared between threads."""

    def __init__(self, pace: Paced, room: Room) -> None:
        self._pace = pace
        self._room = room

    def hold(self, held: Held) -> ProxyAnswer:
        """Return the answer, or one that is given when the turn has come.

        Where the server knows no way to hold a connection, this thread waits.
        """
        if held.slot.at <= self._room.clock():
            return held.make()
        # A request that was made by TGM itself has no connection that could be kept.
        if held.environ.get(HOLD) is None:
            return self._wait(held)
        return _Waiting(self._pace, self._room, held).announced()

    def _wait(self, held: Held) -> ProxyAnswer:
        while (left := self._pace.look(held.slot) - self._room.clock()) > 0:
            if held.slot.at > held.slot.until:
                self._pace.give_back(held.slot)
                return held.refused(left)
            # In parts: the turn may be put off meanwhile.
            time.sleep(min(left, 1))
        return held.make()


class _Waiting(Later):
    """The answer to a call that is held: see also `room.Errand`."""

    def __init__(self, pace: Paced, room: Room, held: Held) -> None:
        super().__init__(held.environ)
        self._pace = pace
        self._room = room
        self._held = held
        self._lock = threading.Lock()
        self._is_settled = False
        self._is_kept = False

    @property
    def due(self) -> float:
        """When its turn comes, as far as is known."""
        return self._held.slot.at

    def __iter__(self) -> Iterator[bytes]:
        self._is_kept = True
        return super().__iter__()

    def close(self) -> None:
        """End: called by the server in every case, also where it has kept the connection."""
        if not self._is_kept:
            self.lost()

    def attach(self, line: Line) -> None:
        """Take the connection over."""
        self._line = line
        self._room.put(self)

    def lost(self) -> None:
        """Hear that the caller has gone: what has not been sent is not sent any more."""
        if self._settle():
            # Not here: this thread may be the one that serves every connection.
            self._room.put(_Undoing(self._undo))

    def run(self) -> None:
        """Make the call, unless it has been put off meanwhile."""
        held = self._held
        left = self._pace.look(held.slot) - self._room.clock()
        if left > 0 and held.slot.at <= held.slot.until:
            self._room.put(self)
        elif left > 0:
            self._refuse(left)
        elif self._settle():
            self._give(held.made())

    def turn_away(self) -> None:
        """Refuse: TGM stops."""
        self._refuse(0)

    def _refuse(self, seconds: float) -> None:
        if self._settle():
            self._pace.give_back(self._held.slot)
            self._give(self._held.refused(seconds))

    def _undo(self) -> None:
        self._pace.give_back(self._held.slot)
        if self._held.give_up is not None:
            self._held.give_up()
        self._note(ProxyAnswer(200, [], [], GATEWAY), 0, "caller_gone")

    def _settle(self) -> bool:
        """Decide its end; return False where that has been decided already."""
        with self._lock:
            is_first, self._is_settled = not self._is_settled, True
        return is_first


@dataclass(frozen=True)
class _Undoing:
    """Undoes, in a thread of the room's: see `room.Errand`."""

    run: Callable[[], None]
    due: float = 0.0

    def turn_away(self) -> None:
        """Undo also where the room has closed."""
        self.run()
