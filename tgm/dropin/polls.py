"""Long polls that wait for updates without holding a thread.

One thread looks after all of them: it is told when an update has been stored, looks by itself for
what happens in other processes, and answers whoever has something, has waited long enough, or may
not wait any more.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tgm.dropin.answers import updates
from tgm.dropin.consumers import Consumers, Place, Standing
from tgm.live.channel import HOLD, Line
from tgm.proxy.answers import ProxyAnswer, own
from tgm.proxy.later import Later
from tgm.proxy.served import ServedCall
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict, TgmError
from tgm.shared.marks import GATEWAY

log = logging.getLogger(__name__)

# How often it looks for what another process may have stored, begun or changed.
_LOOK_SECONDS = 0.3
_TAKEN_OVER = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
ENDED_BY_WEBHOOK = "Conflict: terminated by setWebhook request"


@dataclass(frozen=True)
class Poll:
    """What a program waits for, and for how many seconds at most."""

    standing: Standing
    limit: int
    seconds: float
    call: ServedCall = field(repr=False)


class Parked(Later):
    """A poll's answer, which is given later: from the thread of `Polls`, or where the server knows
    no way to hold a connection, from the caller's own, which then waits."""

    def __init__(self, polls: "Polls", poll: Poll, until: float) -> None:
        super().__init__(poll.call.environ)
        self.poll = poll
        self.until = until
        self.seen = 0
        self._polls = polls
        self._answer: ProxyAnswer | None = None
        self._given = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        if HOLD in self.poll.call.environ:
            yield from super().__iter__()
            return
        self._polls.join(self)
        self._given.wait(self.poll.seconds + 1)
        self._polls.leave(self)
        yield from self._answer.body if self._answer else [b'{"ok":true,"result":[]}']

    def attach(self, line: Line) -> None:
        """Take the connection over."""
        self._line = line
        self._polls.join(self)

    def lost(self) -> None:
        """Hear that the program has gone."""
        if self._polls.leave(self):
            self._note(ProxyAnswer(200, [], [], GATEWAY), 0, "caller_gone")

    def give(self, answer: ProxyAnswer) -> None:
        """Answer. Called once, by whoever has taken it out of `Polls`."""
        self._answer = answer
        self._given.set()
        self._give(answer)


class Polls:
    """Holds the polls that wait."""

    def __init__(
        self, consumers: Consumers, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._consumers = consumers
        self._clock = clock
        self._looked_at = -math.inf
        self._changed = threading.Condition()
        self._parked: dict[Place, Parked] = {}
        self._woken: set[str] = set()
        self._has_joined = False
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def __len__(self) -> int:
        return len(self._parked)

    def park(self, poll: Poll) -> ProxyAnswer:
        """Return an answer that waits until there is something to say."""
        return Parked(self, poll, self._clock() + poll.seconds).announced()

    def join(self, parked: Parked) -> None:
        """Look after a poll from now on."""
        place = parked.poll.standing.place
        with self._changed:
            other = self._parked.pop(place, None)
            if not self._is_stopped:
                self._parked[place] = parked
                # Something may have come while it was on its way here. It has seen nothing yet, so
                # the next round looks for it, and for it alone.
                self._has_joined = True
                self._start()
            self._changed.notify()
        if other is not None:
            other.give(own(Conflict(_TAKEN_OVER)))
        if self._is_stopped:
            parked.give(updates([]))

    def leave(self, parked: Parked) -> bool:
        """Forget a poll; return False where it was not here any more."""
        place = parked.poll.standing.place
        with self._changed:
            if self._parked.get(place) is not parked:
                return False
            del self._parked[place]
            return True

    def end_other(self, place: Place, why: str = _TAKEN_OVER) -> None:
        """End the poll of a program that has just asked for something else, as Telegram does."""
        with self._changed:
            other = self._parked.pop(place, None)
        if other is not None:
            other.give(own(Conflict(why)))

    def wake(self, bot_ids: Iterable[str]) -> None:
        """Say that there are new updates for these bots. Quick: intake waits for it."""
        if not self._parked:
            return
        with self._changed:
            self._woken.update(bot_ids)
            self._changed.notify()

    def stop(self) -> None:
        """Answer everybody, and take no more."""
        with self._changed:
            self._is_stopped = True
            parked, self._parked = list(self._parked.values()), {}
            self._changed.notify()
            thread = self._thread
        for each in parked:
            each.give(updates([]))
        if thread is not None:
            thread.join(5)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="tgm-polls", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._woken and not self._has_joined:
                    self._changed.wait(_LOOK_SECONDS)
                if self._is_stopped or not self._parked:
                    self._thread = None
                    return
                woken, self._woken = self._woken, set()
                self._has_joined = False
                parked = list(self._parked.values())
            try:
                self._round(parked, woken)
            except Exception as error:  # noqa: BLE001 - they wait on, and it is tried again
                log.warning("waiting polls could not be looked after: %s", type(error).__name__)
                time.sleep(_LOOK_SECONDS)

    def _round(self, parked: list[Parked], woken: set[str]) -> None:
        now = self._clock()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            parked = self._still_waiting(parked)
        newest = self._consumers.newest({each.poll.standing.place.bot_id for each in parked})
        for each in parked:
            bot_id = each.poll.standing.place.bot_id
            last = newest.get(bot_id, 0)
            if bot_id in woken or last > each.seen:
                each.seen = last
                found = self._consumers.waiting(each.poll.standing, each.poll.limit, utcnow())
                if found and self.leave(each):
                    each.give(updates(found))
                    continue
            if now >= each.until and self.leave(each):
                each.give(updates([]))

    def _still_waiting(self, parked: list[Parked]) -> list[Parked]:
        """Answer those who may not wait any more, and return the others."""
        elsewhere = self._consumers.taken_away({each.poll.standing.place for each in parked})
        rest = []
        for each in parked:
            place = each.poll.standing.place
            try:
                if place in elsewhere:
                    raise Conflict(ENDED_BY_WEBHOOK if elsewhere[place] is None else _TAKEN_OVER)
                each.poll.call.check_again()
            except TgmError as error:
                if self.leave(each):
                    each.give(each.poll.call.refusal(error))
            else:
                rest.append(each)
        return rest
