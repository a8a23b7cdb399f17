"""Delivering: one attempt after another, each signed, recorded and judged."""

import logging
import secrets as randomness
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import Engine

from tgm.security import signing
from tgm.security.outbound import KEPT_BYTES, Outbound, OutboundFailed, Received
from tgm.security.redaction import redact
from tgm.security.secret import Secret
from tgm.security.vault import SealBroken, Vault
from tgm.settings import Settings
from tgm.shared.version import VERSION
from tgm.webhook import answers, schedule
from tgm.webhook.claimed import Claimed
from tgm.webhook.claims import Claims
from tgm.webhook.commits import Commits
from tgm.webhook.models import State
from tgm.webhook.nearby import News
from tgm.webhook.recording import Ended, Recorder

log = logging.getLogger(__name__)

_GONE_STATUS = 410
_MOST_HEADERS = 64
_HEADER_CHARACTERS = 1000
# Beside Telegram's own time-out: connecting, and the rest of the answer.
_ANSWER_SECONDS = 30
_spread = randomness.SystemRandom().uniform


@dataclass(frozen=True)
class Hooks:
    """Whom a delivery concerns beside its endpoint.

    `delivered` hears the update's number, `answered` the id of a button press that a receiver's
    answer has answered.
    """

    delivered: Callable[[int], None] = lambda _seq: None
    answered: Callable[[str], None] = lambda _callback_id: None


class Deliverer:
    """Claims deliveries and attempts them. `claim` is for one thread, the rest for many.

    `owner` is this process's id. `jitter` returns a number from -1 to 1.
    """

    def __init__(
        self,
        reader: Engine,
        commits: Commits,
        *,
        owner: str,
        settings: Settings,
        vault: Vault,
        outbound: Outbound,
        calls: answers.Calls,
        hooks: Hooks | None = None,
        jitter: Callable[[], float] = lambda: _spread(-1, 1),
    ) -> None:
        self.owner = owner
        self._hold_minutes = settings.delivery_hold_minutes
        self._vault = vault
        self._outbound = outbound
        self._calls = calls
        self._hooks = hooks or Hooks()
        self._jitter = jitter
        self._recorder = Recorder(commits, owner)
        self._claims = Claims(
            reader,
            commits,
            owner,
            at_once=settings.deliveries_at_once,
            drain_per_second=settings.delivery_drain_per_second,
            answer_seconds=settings.telegram_timeout_seconds + _ANSWER_SECONDS,
        )

    def claim(self, limit: int, now: datetime) -> list[Claimed]:
        """Take on up to `limit` deliveries that may start now."""
        return self._claims.claim(limit, now)

    def claim_near(self, news: News, limit: int, now: datetime) -> list[Claimed]:
        """Take on those alone that may start because of the news: far cheaper than `claim`."""
        return self._claims.claim_near(news, limit, now)

    def release(self, owner: str) -> int:
        """Take back at once what a worker that is gone had claimed; return how many."""
        return self._claims.release(owner)

    def attempt(self, claimed: Claimed, now: datetime) -> None:
        """Deliver once and keep what became of it."""
        self.keep([self.send(claimed, now)])

    def keep(self, batch: Sequence[Ended]) -> None:
        """Write what became of attempts, all in one commit."""
        self._recorder.keep(batch)
        for one in batch:
            if one.is_kept and one.state is State.DELIVERED and one.update_seq is not None:
                self._hooks.delivered(one.update_seq)

    def send(self, claimed: Claimed, now: datetime) -> Ended:
        """Deliver once, and return what became of it, to be kept."""
        begun = monotonic()
        signature, outcome = self._send(claimed, now)
        milliseconds = round((monotonic() - begun) * 1000)
        called = self._called(claimed, outcome)
        # What follows counts from when the attempt was over.
        ended = self._judge(claimed, outcome, now + timedelta(milliseconds=milliseconds))
        ended.attempt = {
            "delivery_seq": claimed.seq,
            "number": claimed.number,
            "at": now,
            "milliseconds": milliseconds,
            "signature": signature,
            "called": called,
            **_kept(outcome),
        }
        return ended

    def _send(self, claimed: Claimed, now: datetime) -> tuple[str, Received | str]:
        """Return the signature that was sent, and the answer or the kind of failure."""
        try:
            secrets = self._secrets(claimed, now)
            more = self._for_program(claimed)
        except SealBroken as error:
            log.error("the secret of endpoint %s cannot be opened: %s", claimed.endpoint_id, error)
            return "", "secret_unreadable"
        signed = signing.headers(
            claimed.raw,
            secrets=secrets,
            webhook_id=claimed.id,
            timestamp=int(now.timestamp()),
        )
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"TGM/{VERSION}",
            "X-Webhook-Bot-Id": claimed.bot_id,
            "X-Webhook-Attempt": str(claimed.number),
            **signed,
            **more,
        }
        keep = answers.WHOLE_BYTES if claimed.takes_answers else KEPT_BYTES
        try:
            received = self._outbound.post(claimed.url, headers, claimed.raw, keep=keep)
        except OutboundFailed as error:
            return signed[signing.SIGNATURE], error.kind
        return signed[signing.SIGNATURE], received

    def _secrets(self, claimed: Claimed, now: datetime) -> list[Secret]:
        """Return the endpoint's secret, and the one before it while that still signs."""
        sealed = [("sealed_secret", claimed.sealed_secret)]
        until = claimed.old_secret_until
        if claimed.sealed_old_secret is not None and until is not None and until > now:
            sealed.append(("sealed_old_secret", claimed.sealed_old_secret))
        return [
            Secret(self._vault.open(text, place=claimed.secret_place(column)))
            for column, text in sealed
        ]

    def _for_program(self, claimed: Claimed) -> dict[str, str]:
        """Return the header by which a program written for Telegram knows its updates."""
        sealed = claimed.sealed_secret_token
        if sealed is None:
            return {}
        place = claimed.secret_place("sealed_secret_token")
        return {"X-Telegram-Bot-Api-Secret-Token": self._vault.open(sealed, place=place)}

    def _called(self, claimed: Claimed, outcome: Received | str) -> str | None:
        """Call the method that the answer names. Return what became of it, None without one.

        Before the attempt is kept: a crash in between repeats the delivery, and loses nothing.
        """
        if not (claimed.takes_answers and isinstance(outcome, Received) and _is_good(outcome)):
            return None
        asked = answers.wanted(outcome.body, is_whole=outcome.is_whole)
        if asked is None:
            return None
        called = self._calls.call(claimed, asked)
        if asked.callback_id is not None and answers.is_taken_on(called):
            self._hooks.answered(asked.callback_id)
        return called

    def _judge(self, claimed: Claimed, outcome: Received | str, at: datetime) -> Ended:
        """Decide what follows: delivered, due again later, or dead."""
        ended = Ended(
            seq=claimed.seq,
            endpoint_id=claimed.endpoint_id,
            at=at,
            attempt={},
            state=State.DELIVERED,
            next_at=None,
            holds_until=claimed.holds_until,
            problem=None,
            update_seq=claimed.update_seq,
        )
        asked = None
        if isinstance(outcome, Received):
            if _is_good(outcome):
                return ended
            ended.is_gone = outcome.status == _GONE_STATUS
            asked = schedule.retry_after(outcome.headers, at)
            ended.problem = f"HTTP {outcome.status}"
        else:
            ended.problem = outcome
        ended.next_at = schedule.next_attempt_at(
            claimed.number, at, jitter=self._jitter(), retry_after=asked
        )
        ended.state = State.DEAD if ended.next_at is None else State.DUE
        if claimed.number == 1:
            ended.holds_until = schedule.holds_until(at, self._hold_minutes)
        return ended


def _is_good(received: Received) -> bool:
    return 200 <= received.status < 300


def _kept(outcome: Received | str) -> dict[str, object]:
    """Return the columns of an attempt that tell of the answer."""
    if not isinstance(outcome, Received):
        return {"status": None, "error": outcome, "response_headers": None, "response_body": None}
    headers = [
        [name[:_HEADER_CHARACTERS], redact(value)[:_HEADER_CHARACTERS]]
        for name, value in outcome.headers[:_MOST_HEADERS]
        # A receiver's cookies are nobody's business here.
        if name.lower() != "set-cookie"
    ]
    # Latin-1 takes every byte there and back.
    body = redact(outcome.body[:KEPT_BYTES].decode("latin-1")).encode("latin-1")
    return {
        "status": outcome.status,
        "error": None,
        "response_headers": headers,
        "response_body": body[:KEPT_BYTES],
    }
