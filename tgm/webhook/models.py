"""How a bot receives, where its updates go, and what became of each."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from tgm.extensions import Base
from tgm.security.redaction import redact
from tgm.shared.ids import new_id
from tgm.shared.types import RowNumber, UlidType, UtcDateTime


class Mode(StrEnum):
    """How TGM receives a bot's updates; the value is also `Bot.receiving`."""

    WEBHOOK = "webhook"
    POLLING = "polling"


class Acknowledge(StrEnum):
    """When a button press is answered for the receiver, so that its spinner stops."""

    AT_ONCE = "at_once"
    AFTER_DELIVERY = "after_delivery"
    NEVER = "never"


class State(StrEnum):
    """Where a delivery stands. DUE and CLAIMED are open, DELIVERED and DEAD final."""

    DUE = "due"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    DEAD = "dead"


OPEN = (State.DUE, State.CLAIMED)


def standing(state: State, attempts_made: int) -> str:
    """Return the state's word, or `failing` for what waits after an attempt in vain."""
    return "failing" if state is State.DUE and attempts_made else state.value


def words_of(kind: type[StrEnum]) -> Enum:
    """Return the type of a column that holds one of these words."""
    return Enum(
        kind,
        native_enum=False,
        length=16,
        values_callable=lambda words: [word.value for word in words],
    )


class Reception(Base):
    """How TGM receives a bot's updates; there is no row while it does not.

    Only hashes of the path token and of the secret token are kept: they are made anew with each
    registration. `is_acknowledge_chosen` says whether a person has said when presses are answered.
    `allowed_updates` lists the kinds asked for. `offset` is the next update that
    polling asks for. The lease says which process polls. `problem` is a short word for what a
    person should look at (`taken_over`, `refused`, `unreachable`), with the sentence in
    `problem_text`; both None while all is well.
    """

    __tablename__ = "receptions"

    bot_id: Mapped[ULID] = mapped_column(
        ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True
    )
    mode: Mapped[Mode] = mapped_column(words_of(Mode))
    path_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    secret_digest: Mapped[str | None] = mapped_column(String(64))
    allowed_updates: Mapped[list[str]] = mapped_column(JSON)
    max_connections: Mapped[int] = mapped_column(Integer, default=40)
    acknowledge: Mapped[Acknowledge] = mapped_column(
        words_of(Acknowledge), default=Acknowledge.AT_ONCE
    )
    is_acknowledge_chosen: Mapped[bool] = mapped_column(Boolean, default=False)
    offset: Mapped[int | None] = mapped_column(BigInteger)
    lease_owner: Mapped[str | None] = mapped_column(String(26))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_paused: Mapped[bool] = mapped_column(Boolean, default=False)
    problem: Mapped[str | None] = mapped_column(String(32))
    problem_text: Mapped[str | None] = mapped_column(String(1000))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Endpoint(Base):
    """A receiver's URL, with its own filter, secret, retries and queue.

    `kinds` is None for every kind of update. After a rotation `sealed_old_secret` signs beside the
    new one until `old_secret_until`. `paused_because` is None while it is active, else `person`,
    `key` (no key of its program works any more), `gone` (it answered 410) or `failing` (nothing
    succeeded for three days, since `failing_since`). After a resume, what had waited is delivered
    slowly until `drain_until_seq` has been reached. `takes_answers` says whether its answers may
    name a Bot API method to call. `consumer_id` names the program that made it by setWebhook, None
    where a person did; `sealed_secret_token` is what that program wants in
    X-Telegram-Bot-Api-Secret-Token, `max_connections` its own limit.
    """

    __tablename__ = "endpoints"
    __table_args__ = (
        Index("ix_endpoints_bot_id", "bot_id"),
        UniqueConstraint("consumer_id", "bot_id"),
    )

    id: Mapped[ULID] = mapped_column(UlidType, primary_key=True, default=new_id)
    bot_id: Mapped[ULID] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(String(2048))
    kinds: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    sealed_secret: Mapped[str] = mapped_column(String(512))
    sealed_old_secret: Mapped[str | None] = mapped_column(String(512))
    old_secret_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    takes_answers: Mapped[bool] = mapped_column(Boolean, default=False)
    consumer_id: Mapped[ULID | None] = mapped_column(UlidType)
    sealed_secret_token: Mapped[str | None] = mapped_column(String(1024))
    max_connections: Mapped[int | None] = mapped_column(Integer)
    paused_because: Mapped[str | None] = mapped_column(String(16))
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    drain_until_seq: Mapped[int | None] = mapped_column(BigInteger)
    last_error: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def is_paused(self) -> bool:
        """Whether its deliveries are held."""
        return self.paused_because is not None

    @property
    def shown_url(self) -> str:
        """The URL for others to see: libraries may put their token into its path."""
        return redact(self.url)

    def secret_place(self, column: str = "sealed_secret") -> str:
        """Return where a sealed secret belongs, for the vault."""
        return f"endpoints:{self.id}:{column}"


class StoredUpdate(Base):
    """An update as Telegram sent it, byte for byte. `seq` is the order of intake.

    `queue` names the chat (`c<id>`), else the user (`u<id>`), else is "": deliveries of one queue
    keep their order. `words` is what a person may search it by.
    """

    __tablename__ = "updates"
    __table_args__ = (
        UniqueConstraint("bot_id", "update_id", "is_test"),
        Index("ix_updates_received_at", "received_at"),
        Index("ix_updates_bot_id_seq", "bot_id", "seq"),
    )

    seq: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    bot_id: Mapped[ULID] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"))
    update_id: Mapped[int] = mapped_column(BigInteger)
    is_test: Mapped[bool] = mapped_column(Boolean, default=False)
    kind: Mapped[str] = mapped_column(String(64))
    queue: Mapped[str] = mapped_column(String(32))
    chat_id: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    words: Mapped[str] = mapped_column(Text)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Delivery(Base):
    """An update on its way to one endpoint. Its id is the `webhook-id` of each attempt.

    `next_at` is when the next attempt is due, None once the schedule is spent. An open delivery
    holds back the later ones of its queue until `holds_until`, for ever while that is None.
    `origin_id` names the delivery that this one replays; `after_answer_at` is when a button press
    is answered for the receiver, where that is done after the delivery.
    """

    __tablename__ = "deliveries"
    # The migrations limit the partial ones on PostgreSQL, too: to say so here would load all that
    # SQLAlchemy knows of it.
    __table_args__ = (
        Index("ix_deliveries_due", "state", "next_at"),
        Index(
            "ix_deliveries_endpoint_due",
            "endpoint_id",
            "next_at",
            sqlite_where=text("state = 'due'"),
        ),
        Index("ix_deliveries_order", "endpoint_id", "state", "queue", "seq"),
        Index("ix_deliveries_update_seq", "update_seq"),
        Index("ix_deliveries_endpoint_id_seq", "endpoint_id", "seq"),
        Index("ix_deliveries_bot_id_seq", "bot_id", "seq"),
        # The few replays among the many: none of the others costs it anything.
        Index(
            "ix_deliveries_replays",
            "update_seq",
            sqlite_where=text("origin_id IS NOT NULL"),
        ),
        UniqueConstraint("id"),
    )

    seq: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[ULID] = mapped_column(UlidType, default=new_id)
    endpoint_id: Mapped[ULID] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    bot_id: Mapped[ULID] = mapped_column(UlidType)
    update_seq: Mapped[int] = mapped_column(ForeignKey("updates.seq", ondelete="CASCADE"))
    queue: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(64))
    state: Mapped[State] = mapped_column(words_of(State), default=State.DUE)
    attempts_made: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    holds_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_owner: Mapped[str | None] = mapped_column(String(26))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    origin_id: Mapped[ULID | None] = mapped_column(UlidType)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(String(255))

    @property
    def standing(self) -> str:
        """How it stands, in one of the words that the screens show."""
        return standing(self.state, self.attempts_made)


class Attempt(Base):
    """One try to deliver. `error` is a short kind where no answer came, such as `timeout`.

    `response_body` holds the first 4 KiB. `signature` is the X-Webhook-Signature that was sent.
    `called` tells which method the endpoint's answer named and what became of it, None for none.
    """

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_delivery_seq", "delivery_seq", "number"),)

    id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    delivery_seq: Mapped[int] = mapped_column(ForeignKey("deliveries.seq", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    milliseconds: Mapped[int] = mapped_column(Integer)
    status: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(80))
    response_headers: Mapped[list[list[str]] | None] = mapped_column(JSON(none_as_null=True))
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)
    called: Mapped[str | None] = mapped_column(String(255))


class Chat(Base):
    """A chat that a bot has got an update from, for people to choose from.

    `kind` is Telegram's word (`private`, `group`, `supergroup`, `channel`); `title` is what it is
    called, a person's name in a private one; `words` is what it is searched by, in lower case.
    """

    __tablename__ = "chats"
    __table_args__ = (Index("ix_chats_bot_id_last_seen_at", "bot_id", "last_seen_at"),)

    bot_id: Mapped[ULID] = mapped_column(
        ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True
    )
    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(255))
    username: Mapped[str | None] = mapped_column(String(64))
    words: Mapped[str] = mapped_column(String(400))
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
