"""The queue of calls that are made later. Core, not ORM, and every transaction is short."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    Row,
    Select,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import aliased

from tgm.proxy.models import JobState, SendJob
from tgm.settings import MEBIBYTE
from tgm.shared.errors import Invalid, TooManyRequests
from tgm.shared.ids import new_id

# How long a job may wait, and how long its outcome is kept.
KEPT = timedelta(hours=24)
# For each bot: more would hardly leave within the day, and fill the disk.
MOST_OPEN = 10_000
# What so many long texts take, each with a keyboard. Files need not wait for long: they may be sent
# once, and then by their file_id.
MOST_OPEN_BYTES = 64 * MEBIBYTE
MOST_ANSWER = 64 * 1024
_PURGE_STEP = 500
_FULL = "Too Many Requests: %(most)s calls of this bot are queued already"
_FULL_BYTES = "Too Many Requests: %(most)s MB of calls of this bot are queued already"
_OTHER = "Unprocessable Entity: this Idempotency-Key was used for another request"

_OPEN = (JobState.QUEUED, JobState.SENDING)
_table: Table = SendJob.__table__  # type: ignore[assignment]
_columns = _table.c
_EARLIER = aliased(SendJob)
_IS_NEXT = ~(
    select(_EARLIER.seq)
    .where(
        _EARLIER.bot_id == _columns.bot_id,
        _EARLIER.chat == _columns.chat,
        _EARLIER.state.in_(_OPEN),
        _EARLIER.seq < _columns.seq,
    )
    .correlate(_table)
    .exists()
)


@dataclass(frozen=True)
class NewJob:
    """A call to be queued: see `SendJob`."""

    team_id: str
    bot_id: str
    key_id: str
    consumer_id: str
    method: str
    query: str
    content_type: str
    body: bytes = field(repr=False)
    chat: str
    messages: int
    token: str | None
    fingerprint: str | None
    endpoint_id: str | None = None


@dataclass(frozen=True)
class Due:
    """A job whose turn it is in its chat."""

    seq: int
    bot_id: str
    chat: str
    messages: int


class Jobs:
    """The queue. One for the whole process, shared between threads."""

    def __init__(
        self,
        reader: Engine,
        writer: Engine,
        *,
        most_open: int = MOST_OPEN,
        most_bytes: int = MOST_OPEN_BYTES,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._most_open = most_open
        self._most_bytes = most_bytes

    def add(self, job: NewJob, now: datetime) -> str:
        """Queue a call and return the job's id: it is on disk then.

        With an Idempotency-Key that has a job already, that one's. Raises TooManyRequests where
        too many wait, Invalid where the Idempotency-Key stood for another call.
        """
        with self._writer.begin() as connection:
            if job.token is not None:
                query = select(_columns.id, _columns.fingerprint).where(
                    _columns.key_id == job.key_id,
                    _columns.token == job.token,
                    _columns.created_at > now - KEPT,
                )
                made = connection.execute(query).first()
                if made is not None and made.fingerprint != job.fingerprint:
                    raise Invalid(_OTHER)
                if made is not None:
                    return str(made.id)
            size = len(job.body)
            waiting = connection.execute(_open(job.bot_id)).one()
            if waiting.number >= self._most_open:
                raise TooManyRequests(_FULL, most=self._most_open, retry_after=60)
            if (waiting.held or 0) + size > self._most_bytes:
                most = self._most_bytes // MEBIBYTE
                raise TooManyRequests(_FULL_BYTES, most=most, retry_after=60)
            job_id = str(new_id())
            values = {**vars(job), "id": job_id, "created_at": now, "due_at": now, "tries": 0}
            connection.execute(insert(_table).values(**values, size=size, state=JobState.QUEUED))
            return job_id

    def find(self, bot_id: str, consumer_id: str, job_id: str) -> Row[Any] | None:
        """Return a program's job, without its body."""
        wanted = [column for column in _columns if column.name not in {"body", "query"}]
        query = select(*wanted).where(
            _columns.id == job_id,
            _columns.bot_id == bot_id,
            _columns.consumer_id == consumer_id,
        )
        with self._reader.connect() as connection:
            return connection.execute(query).one_or_none()

    def count(self, bot_id: str) -> int:
        """Return how many of a bot's calls have not come to their end."""
        with self._reader.connect() as connection:
            return int(connection.execute(_open(bot_id)).one().number)

    def has_open(self, bot_id: str, chat: str) -> bool:
        """Tell whether something to this chat is still to be made, or under way."""
        query = select(_columns.seq).where(
            _columns.state.in_(_OPEN), _columns.bot_id == bot_id, _columns.chat == chat
        )
        with self._reader.connect() as connection:
            return connection.scalar(query.limit(1)) is not None

    def ended_answers(self, since: datetime) -> Sequence[Row[Any]]:
        """Return the calls that receivers' answers asked for, as far as they ended since then."""
        names = ("token", "method", "state", "status", "answer", "error")
        query = select(*(_columns[name] for name in names)).where(
            _columns.endpoint_id.is_not(None), _columns.finished_at >= since
        )
        with self._reader.connect() as connection:
            return connection.execute(query).all()

    def bots(self) -> list[str]:
        """Return the bots that have something queued."""
        query = select(_columns.bot_id).where(_columns.state == JobState.QUEUED).distinct()
        with self._reader.connect() as connection:
            return [str(bot_id) for bot_id in connection.scalars(query)]

    def due(self, bot_id: str, now: datetime, most: int) -> list[Due]:
        """Return the first job of each of the bot's chats, as far as it may be made now."""
        first = func.min(_columns.seq)
        heads = (
            select(first)
            .where(_columns.bot_id == bot_id, _columns.state.in_(_OPEN))
            .group_by(_columns.chat)
        )
        query = (
            select(_columns.seq, _columns.bot_id, _columns.chat, _columns.messages)
            .where(_columns.seq.in_(heads), _columns.state == JobState.QUEUED)
            .where(_columns.due_at <= now)
            .order_by(_columns.seq)
            .limit(most)
        )
        with self._reader.connect() as connection:
            return [
                Due(row.seq, str(row.bot_id), row.chat, row.messages)
                for row in connection.execute(query)
            ]

    def claim(self, seq: int, owner: str, now: datetime, until: datetime) -> Row[Any] | None:
        """Take a job on, None where it is not to be made now, or by somebody else."""
        with self._writer.begin() as connection:
            return connection.execute(
                update(_table)
                .where(
                    _columns.seq == seq,
                    _columns.state == JobState.QUEUED,
                    _columns.due_at <= now,
                    _IS_NEXT,
                )
                .values(
                    state=JobState.SENDING,
                    started_at=now,
                    tries=_columns.tries + 1,
                    lease_owner=owner,
                    leased_until=until,
                )
                .returning(_table)
            ).one_or_none()

    def finish(
        self,
        seq: int,
        owner: str,
        state: JobState,
        now: datetime,
        *,
        status: int | None = None,
        answer: bytes | None = None,
        error: str | None = None,
    ) -> None:
        """Keep how a job ended; also where its lease has run out meanwhile."""
        values = {"status": status, "answer": answer, "error": error, **_end(state, now)}
        mine = (_columns.seq == seq) & (_columns.lease_owner == owner)
        with self._writer.begin() as connection:
            connection.execute(
                update(_table)
                .where(mine, _columns.state.in_((JobState.SENDING, JobState.UNKNOWN)))
                .values(**values)
            )

    def put_off(self, seq: int, owner: str, until: datetime, error: str) -> None:
        """Queue a job again, in its old place: Telegram certainly did not act on it."""
        with self._writer.begin() as connection:
            connection.execute(
                update(_table)
                .where(_columns.seq == seq, _columns.lease_owner == owner)
                .where(_columns.state == JobState.SENDING)
                .values(
                    state=JobState.QUEUED,
                    due_at=until,
                    error=error,
                    started_at=None,
                    lease_owner=None,
                    leased_until=None,
                )
            )

    def bury(self, owner: str, now: datetime) -> None:
        """Settle what a process that is gone was making: whether Telegram acted is unknown."""
        self._end(_columns.lease_owner == owner, JobState.SENDING, JobState.UNKNOWN, now, "cut_off")

    def tidy(self, now: datetime) -> None:
        """Settle what is out of its lease or has waited too long; delete what is old."""
        lost = _columns.leased_until < now
        self._end(lost, JobState.SENDING, JobState.UNKNOWN, now, "cut_off")
        late = _columns.created_at < now - KEPT
        self._end(late, JobState.QUEUED, JobState.FAILED, now, "expired")
        old = select(_columns.seq).where(_columns.finished_at < now - KEPT).limit(_PURGE_STEP)
        gone = _PURGE_STEP
        while gone == _PURGE_STEP:
            with self._writer.begin() as connection:
                seqs: Sequence[int] = connection.scalars(old).all()
                connection.execute(delete(_table).where(_columns.seq.in_(seqs)))
            gone = len(seqs)

    def _end(
        self,
        which: ColumnElement[bool],
        before: JobState,
        after: JobState,
        now: datetime,
        error: str,
    ) -> None:
        found = (_columns.state == before) & which
        # A read first: nearly always there is none.
        with self._reader.connect() as connection:
            if connection.scalar(select(_columns.seq).where(found).limit(1)) is None:
                return
        with self._writer.begin() as connection:
            connection.execute(update(_table).where(found).values(error=error, **_end(after, now)))


def _open(bot_id: str) -> Select[int, Any]:
    columns = func.count().label("number"), func.sum(_columns.size).label("held")
    return select(*columns).where(_columns.bot_id == bot_id, _columns.state.in_(_OPEN))


def _end(state: JobState, now: datetime) -> dict[str, Any]:
    # What was to be sent is nobody's business any more.
    return {"state": state, "finished_at": now, "body": None, "query": ""}


def is_final(state: str) -> bool:
    """Tell whether a job has come to its end."""
    return state not in _OPEN
