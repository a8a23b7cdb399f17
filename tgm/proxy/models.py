"""The request log, its figures, remembered answers, and calls that wait to be made."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.shared.types import RowNumber, UlidType, UtcDateTime


class RequestLogEntry(Base):
    """One proxied call, without its body. It outlives the bot and the key that it names.

    `source` says who answered: `telegram` or `gateway`. `error` is a short kind, such as
    `rate_limited` or `telegram_timeout`, None where all went well.
    """

    __tablename__ = "request_log"
    __table_args__ = (
        Index("ix_request_log_at", "at"),
        Index("ix_request_log_team_id_id", "team_id", "id"),
        Index("ix_request_log_bot_id_id", "bot_id", "id"),
        Index("ix_request_log_key_id_id", "key_id", "id"),
        # A method that nobody calls would else be looked for in every row.
        Index("ix_request_log_team_id_method_id", "team_id", "method", "id"),
    )

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    team_id: Mapped[ULID] = mapped_column(UlidType)
    bot_id: Mapped[ULID | None] = mapped_column(UlidType)
    key_id: Mapped[ULID] = mapped_column(UlidType)
    method: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(8))
    status: Mapped[int] = mapped_column(Integer)
    bytes_in: Mapped[int] = mapped_column(BigInteger)
    bytes_out: Mapped[int] = mapped_column(BigInteger)
    milliseconds: Mapped[int] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(String(32))


class RequestFigure(Base):
    """How many calls of one kind there were in one step of time: what charts are drawn from.

    Each call counts several times: for its team (`about` is `team`), in steps of 300 and of 3600
    `step` seconds, and for its bot (`bot`) and its key (`key`), by the hour only. `subject_id` is
    the id of what it is about. `at` is when the step began; `status` is its hundreds, such as 4.
    """

    __tablename__ = "request_figures"
    __table_args__ = (
        Index("ix_request_figures_step_at", "step", "at"),
        {"sqlite_with_rowid": False},
    )

    team_id: Mapped[ULID] = mapped_column(UlidType, primary_key=True)
    about: Mapped[str] = mapped_column(String(8), primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    subject_id: Mapped[ULID] = mapped_column(UlidType, primary_key=True)
    source: Mapped[str] = mapped_column(String(8), primary_key=True)
    status: Mapped[int] = mapped_column(Integer, primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)


class IdempotencyEntry(Base):
    """A call made with an Idempotency-Key: under way while `status` is None, then its answer.

    `leased_until` is when a call under way counts as lost, since its process renews it while it
    lives. `headers` is a JSON list of pairs. Entries go 24 hours after `created_at`.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    key_id: Mapped[ULID] = mapped_column(UlidType, primary_key=True)
    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(26))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[str | None] = mapped_column(String)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class JobState(StrEnum):
    """Where a queued call stands. The last three are final."""

    QUEUED = "queued"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class SendJob(Base):
    """A call that is made later: queued by Prefer: respond-async, kept 24 hours after its end.

    Calls to one `chat` of a bot ("" where none is named) are made in the order of `seq`, those
    that wait not before `due_at`. One that is `sending` belongs to the process `lease_owner` until
    `leased_until`; a dead one's becomes `unknown`, since Telegram may have acted. `consumer_id`
    stands for the program, so that a key's successors see it. `messages` is how many the call
    sends. `token` and `fingerprint` are those of its Idempotency-Key. `body`, of `size` bytes, goes
    at the end; `status` and `answer` are Telegram's.

    `endpoint_id` is set where no program has queued it but TGM, since a receiver's answer asked for
    it: then it stands for key and program, too, and `token` is the delivery's id.
    """

    __tablename__ = "send_jobs"
    __table_args__ = (
        Index("ix_send_jobs_state_bot_id_chat_seq", "state", "bot_id", "chat", "seq"),
        # With the size, which stands behind the body in the row.
        Index("ix_send_jobs_bot_id_state_size", "bot_id", "state", "size"),
        Index("ix_send_jobs_key_id_token", "key_id", "token"),
        Index("ix_send_jobs_finished_at", "finished_at"),
        # Limited on PostgreSQL, too, by the migration.
        Index("ix_send_jobs_answers", "finished_at", sqlite_where=text("endpoint_id IS NOT NULL")),
    )

    seq: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[ULID] = mapped_column(UlidType, unique=True)
    team_id: Mapped[ULID] = mapped_column(UlidType)
    bot_id: Mapped[ULID] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"))
    key_id: Mapped[ULID] = mapped_column(UlidType)
    consumer_id: Mapped[ULID] = mapped_column(UlidType)
    endpoint_id: Mapped[ULID | None] = mapped_column(UlidType)
    method: Mapped[str] = mapped_column(String(64))
    query: Mapped[str] = mapped_column(String)
    content_type: Mapped[str] = mapped_column(String)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(Integer)
    chat: Mapped[str] = mapped_column(String(64))
    messages: Mapped[int] = mapped_column(Integer)
    token: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(Integer)
    lease_owner: Mapped[str | None] = mapped_column(String(26))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    error: Mapped[str | None] = mapped_column(String(32))
