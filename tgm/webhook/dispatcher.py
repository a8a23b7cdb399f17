"""The worker: claims what may start, and attempts it in threads of its own."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue

from tgm.shared.clock import utcnow
from tgm.webhook.claimed import Claimed
from tgm.webhook.delivery import Deliverer
from tgm.webhook.models import State
from tgm.webhook.nearby import News
from tgm.webhook.owners import Owner
from tgm.webhook.recording import Ended

log = logging.getLogger(__name__)

# Enough that 32 receivers which hang, each with its 16 at once, hold up nobody else.
MOST_THREADS = 512
# How often it looks by itself: for what has become due, and for what another process has stored.
LOOK_SECONDS = 0.25
_MOST_TOGETHER = 200
# Beyond so many news, a look at all that is due costs less.
_MOST_NEWS = 200
# A look at all that takes long leaves so many times as long to others, up to a second.
_REST = 4
# How long what is under way may take at the end.
_GRACE_SECONDS = 5.0


class Dispatcher:
    """Runs a Deliverer. `wake` says that anything may be due, `arrived` which updates are new;
    without, it looks by itself.

    `bury` is told the id of each dead worker whose claims were taken back.
    """

    def __init__(
        self,
        deliverer: Deliverer,
        owner: Owner,
        *,
        bury: Callable[[str], object] = lambda _owner: None,
        clock: Callable[[], datetime] = utcnow,
        most_threads: int = MOST_THREADS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._deliverer = deliverer
        self._owner = owner
        self._bury_more = bury
        self._clock = clock
        self._most = most_threads
        self._look_seconds = look_seconds
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._claimed: SimpleQueue[Claimed | None] = SimpleQueue()
        self._ended: SimpleQueue[Ended | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._busy = 0
        self._wants_all = True
        self._updates: list[int] = []
        self._over: list[Ended] = []
        self._threads: list[threading.Thread] = []
        self._looker = threading.Thread(target=self._look, name="tgm-dispatcher", daemon=True)
        self._recorder = threading.Thread(target=self._record, name="tgm-recorder", daemon=True)

    def start(self) -> None:
        """Take back what dead workers of this box had claimed, then begin in the background."""
        self._owner.bury(self._bury)
        self._recorder.start()
        self._looker.start()

    def _bury(self, owner: str) -> None:
        self._deliverer.release(owner)
        self._bury_more(owner)

    def wake(self) -> None:
        """Look at all that is due, now. Costs nothing, and may be called from any thread."""
        with self._lock:
            self._wants_all = True
        self._woken.set()

    def arrived(self, updates: Sequence[int]) -> None:
        """Hear the numbers of updates that are stored by now. Quick, and from any thread."""
        with self._lock:
            self._updates += updates
        self._woken.set()

    def stop(self, grace_seconds: float = _GRACE_SECONDS) -> None:
        """Claim nothing more, and wait a little for what is under way.

        A receiver that hangs is not waited for: its delivery is attempted again after the start.
        """
        self._stopping.set()
        self._woken.set()
        until = time.monotonic() + grace_seconds
        if self._looker.is_alive():
            self._looker.join(grace_seconds)
        for _ in self._threads:
            self._claimed.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._ended.put(None)
        if self._recorder.is_alive():
            self._recorder.join(grace_seconds)
        self._owner.close()

    def _look(self) -> None:
        look_at = 0.0
        while not self._stopping.is_set():
            self._woken.wait(max(0.0, look_at - time.monotonic()))
            self._woken.clear()
            begun = time.monotonic()
            try:
                if not self._hand_out(is_whole=begun >= look_at):
                    continue
            except Exception:
                log.exception("deliveries could not be claimed")
                self.wake()
                self._stopping.wait(1)
                continue
            ended = time.monotonic()
            look_at = ended + max(self._look_seconds, min(1.0, _REST * (ended - begun)))

    def _hand_out(self, *, is_whole: bool) -> bool:
        """Claim, and hand to threads. Return whether that was a look at all that is due."""
        with self._lock:
            is_whole, self._wants_all = is_whole or self._wants_all, False
            free = self._most - self._busy
            updates, self._updates = self._updates, []
            over, self._over = self._over, []
        is_whole = is_whole or len(updates) + len(over) > _MOST_NEWS
        if free <= 0:
            # Nothing of this may be forgotten once a thread is free again.
            with self._lock:
                self._wants_all = True
            return True
        if is_whole:
            claimed = self._deliverer.claim(free, self._clock())
        else:
            news = News(
                updates,
                {
                    one.seq: one.endpoint_id
                    for one in over
                    if one.leaves_more and one.state is not State.DUE
                },
                {one.endpoint_id for one in over},
            )
            claimed = self._deliverer.claim_near(news, free, self._clock())
        self._start(claimed)
        return is_whole

    def _start(self, claimed: Sequence[Claimed]) -> None:
        with self._lock:
            self._busy += len(claimed)
            missing = min(self._busy, self._most) - len(self._threads)
        for _ in range(missing):
            name = f"tgm-deliver-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        for one in claimed:
            self._claimed.put(one)

    def _work(self) -> None:
        while (claimed := self._claimed.get()) is not None:
            try:
                ended = self._deliverer.send(claimed, self._clock())
            except Exception:
                # Its lease runs out, and it is attempted again.
                log.exception("an attempt failed: delivery %s", claimed.id)
                self._free(1)
                self.wake()
            else:
                self._ended.put(ended)

    def _record(self) -> None:
        """Keep what has ended, together with all that ended during the last commit."""
        is_last = False
        while not is_last:
            ended = [self._ended.get()]
            with suppress(Empty):
                while len(ended) < _MOST_TOGETHER:
                    ended.append(self._ended.get_nowait())
            batch = [one for one in ended if one is not None]
            is_last = len(batch) < len(ended)
            try:
                self._deliverer.keep(batch)
            except Exception:
                log.exception("what follows a delivery failed")
            self._free(len(batch), batch)

    def _free(self, count: int, over: Sequence[Ended] = ()) -> None:
        with self._lock:
            self._busy -= count
            self._over += over
        # The next of their chats may start.
        self._woken.set()
