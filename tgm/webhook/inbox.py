"""Storing updates: on disk before anybody is told so, many of them in one commit."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError

from tgm.webhook.chats import ChatNotes, Seen
from tgm.webhook.commits import Commits
from tgm.webhook.facts import Facts
from tgm.webhook.storing import Parcel, Stored, Told, write

log = logging.getLogger(__name__)

# More would let the other writers wait; less would cost more commits.
_BATCH = 500
_PATIENCE_SECONDS = 60


class NotStored(Exception):
    """An update is not on disk, as far as is known: whoever sent it must send it again."""


class _Waiting:
    """Lets one thread wait until it is told.

    A plain lock that opens is a tenth of a Future's work, and each update may wait on one.
    """

    def __init__(self) -> None:
        self._count = 0
        self._failure: str | None = None
        self._closed = threading.Lock()
        self._closed.acquire()

    def end(self, count: int, failure: str | None) -> None:
        """Let the thread go on."""
        self._count, self._failure = count, failure
        self._closed.release()

    def wait(self) -> int:
        """Return how many were new, once they are on disk. Raises NotStored."""
        if not self._closed.acquire(timeout=_PATIENCE_SECONDS):
            raise NotStored("the database did not answer in time")
        if self._failure is not None:
            raise NotStored(self._failure)
        return self._count


class Inbox:
    """Takes updates from any thread; one thread writes them, a batch with each commit."""

    def __init__(self, commits: Commits, on_stored: Callable[[Sequence[Stored]], None]) -> None:
        """`on_stored` hears of new updates after the commit, in the writing thread: it must be
        quick, and may not put anything here itself."""
        self._commits = commits
        self._on_stored = on_stored
        self._queue: SimpleQueue[Parcel | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._chats = ChatNotes()

    def put(self, bot_id: str, raw: bytes, facts: Facts, received_at: datetime) -> bool:
        """Store an update, and return when it is on disk: True where it is new, False where it was
        there already. Raises NotStored."""
        return self.put_many(bot_id, [(raw, facts)], received_at) == 1

    def put_many(
        self, bot_id: str, items: Sequence[tuple[bytes, Facts]], received_at: datetime
    ) -> int:
        """Store updates of one bot in their order, all or none, and return how many were new.

        Raises NotStored.
        """
        waiting = _Waiting()
        self.hand_over(bot_id, items, received_at, waiting.end)
        return waiting.wait()

    def hand_over(
        self,
        bot_id: str,
        items: Sequence[tuple[bytes, Facts]],
        received_at: datetime,
        tell: Told,
    ) -> None:
        """Have updates of one bot stored, all or none, without waiting for it.

        `tell` is called once, in the writing thread: it must be quick. Raises NotStored, and then
        calls nobody.
        """
        parcel = Parcel(str(bot_id), items, received_at, tell)
        with self._lock:
            if self._is_stopped:
                raise NotStored("TGM is stopping")
            self._queue.put(parcel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tgm-inbox", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Store what waits, then take nothing more."""
        with self._lock:
            self._is_stopped = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        is_last = False
        while not is_last:
            parcels, is_last = self._next()
            if parcels:
                self._store(parcels)

    def _next(self) -> tuple[list[Parcel], bool]:
        """Wait for a parcel, and take those along that came while the last commit was under way."""
        parcels: list[Parcel] = []
        size = 0
        parcel = self._queue.get()
        while parcel is not None:
            parcels.append(parcel)
            size += len(parcel.items)
            if size >= _BATCH:
                return parcels, False
            try:
                parcel = self._queue.get_nowait()
            except Empty:
                return parcels, False
        return parcels, True

    def _store(self, parcels: Sequence[Parcel]) -> None:
        try:
            stored, counts, chats = self._commits.run(lambda c: self._write(c, parcels))
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it
            if len(parcels) > 1 and _is_about_values(error):
                # One of them cannot be stored, for instance since its bot has just been deleted:
                # that must not cost the others.
                for parcel in parcels:
                    self._store([parcel])
                return
            # Only the kind: the statement's values are a stranger's words.
            log.error("%d updates could not be stored: %s", len(parcels), type(error).__name__)
            for parcel in parcels:
                parcel.end(failure=type(error).__name__)
            return
        self._chats.remember(chats)
        if stored:
            self._tell(stored)
        for parcel, count in zip(parcels, counts, strict=True):
            parcel.end(count)

    def _write(
        self, connection: Connection, parcels: Sequence[Parcel]
    ) -> tuple[list[Stored], Sequence[int], list[Seen]]:
        stored, counts = write(connection, parcels)
        return stored, counts, self._chats.write(connection, _seen(stored))

    def _tell(self, stored: Sequence[Stored]) -> None:
        try:
            self._on_stored(stored)
        except Exception:
            log.exception("what follows after storing failed; the updates are stored")


def _is_about_values(error: Exception) -> bool:
    # StatementError itself is about a value's type; those derived from it are the database's.
    is_value = isinstance(error, IntegrityError | DataError) or type(error) is StatementError
    return is_value or not isinstance(error, SQLAlchemyError)


def _seen(stored: Sequence[Stored]) -> Iterator[Seen]:
    for one in stored:
        if one.facts.chat is not None:
            yield one.bot_id, one.facts.chat, one.received_at
