"""Making one queued call, and keeping how it ended."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from sqlalchemy import Row

from tgm.bots.tokens import opened
from tgm.keys.snapshot import KnownBot, KnownKey, Snapshot
from tgm.proxy import forward, sends
from tgm.proxy.answers import ProxyAnswer, own
from tgm.proxy.jobs import MOST_ANSWER, Jobs
from tgm.proxy.models import JobState
from tgm.proxy.pace import Paced
from tgm.proxy.requestlog import RequestLog
from tgm.proxy.target import MethodTarget
from tgm.proxy.timing import Call
from tgm.security.vault import SealBroken, Vault
from tgm.shared.errors import TgmError
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import TelegramUnreachable

log = logging.getLogger(__name__)

# Beyond Telegram's time-out, which counts each wait on the socket by itself.
_MARGIN = timedelta(seconds=120)
_LONGEST_PAUSE = 60  # seconds

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes queued calls. One for the whole process, shared between threads."""

    jobs: Jobs
    pace: Paced
    pace_clock: Callable[[], float]
    vault: Vault
    telegram: TelegramClient
    snapshot: Snapshot
    request_log: RequestLog
    may_answer: Callable[[str], bool]
    """Whether an endpoint's answers may still name a method to call."""
    timeout_seconds: float

    @property
    def lease(self) -> timedelta:
        """How long a call may take: one that is under way for longer is lost."""
        return timedelta(seconds=self.timeout_seconds) + _MARGIN

    def make(self, job: Row[Any], owner: str, clock: Clock) -> None:
        """Make the call of a job that `owner` has claimed."""
        bot = self.snapshot.current().bots.get(str(job.bot_id))
        key = None if bot is None else self._asker(job, bot)
        if bot is None or key is None:
            self.jobs.finish(job.seq, owner, JobState.FAILED, clock(), error="key_refused")
            return
        environ = {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": job.content_type,
            "CONTENT_LENGTH": str(len(job.body)),
            "wsgi.input": BytesIO(job.body),
        }
        call = Call(environ, key=key, bot=bot, method=job.method)
        try:
            answer = self._forward(call, bot, MethodTarget(bot.id, job.method, job.query))
        except TelegramUnreachable as error:
            self._note(call, key, own(error, error.failure))
            if error.is_sent:
                state = JobState.UNKNOWN
                self.jobs.finish(job.seq, owner, state, clock(), error=error.failure)
            else:
                pause = timedelta(seconds=min(2**job.tries, _LONGEST_PAUSE))
                self.jobs.put_off(job.seq, owner, clock() + pause, error.failure)
        except SealBroken as error:
            log.error("the token of bot %s cannot be opened: %s", bot.id, error)
            self.jobs.finish(job.seq, owner, JobState.FAILED, clock(), error="internal")
        except Exception:
            # It may have been sent before this.
            log.exception("a queued call failed: %s", job.id)
            self._note(call, key, own(TgmError("Internal Server Error", code=500)))
            self.jobs.finish(job.seq, owner, JobState.UNKNOWN, clock(), error="internal")
        else:
            self._note(call, key, answer)
            self._settle(job, owner, answer, clock())

    def _asker(self, job: Row[Any], bot: KnownBot) -> KnownKey | None:
        """Return who wants the call made, None where nobody may any more."""
        if job.endpoint_id is None:
            return _working_key(self.snapshot.current().keys.values(), job, bot)
        if not self.may_answer(str(job.endpoint_id)):
            return None
        return KnownKey(str(job.endpoint_id), bot.team_id, None, ("*",), None, None, False)

    def _forward(self, call: Call, bot: KnownBot, target: MethodTarget) -> ProxyAnswer:
        token = opened(self.vault, bot)
        answer = forward.call_method(
            self.telegram, token, target, call.environ, whole_bytes=MOST_ANSWER
        )
        answer.body = list(answer.body)
        return answer

    def _settle(self, job: Row[Any], owner: str, answer: ProxyAnswer, now: datetime) -> None:
        seconds = sends.asked_pause(answer)
        if seconds is not None:
            self.pace.pause(self.pace_clock(), str(job.bot_id), seconds)
            until = now + timedelta(seconds=seconds)
            self.jobs.put_off(job.seq, owner, until, "telegram_flood")
            return
        state = JobState.DONE if 200 <= answer.status < 300 else JobState.FAILED
        if answer.status >= 500:
            # Telegram is in trouble: it may have acted before it was.
            state = JobState.UNKNOWN
        body = b"".join(answer.body)
        kept = body if len(body) <= MOST_ANSWER else None
        self.jobs.finish(job.seq, owner, state, now, status=answer.status, answer=kept)

    def _note(self, call: Call, key: KnownKey, answer: ProxyAnswer) -> None:
        # What a receiver's answer asked for stands with its delivery instead.
        if key.consumer_id:
            sent = sum(map(len, answer.body))
            self.request_log.add(call.row(key, answer, sent, answer.error))


def _working_key(keys: Iterable[KnownKey], job: Row[Any], bot: KnownBot) -> KnownKey | None:
    """Return a key of the job's program that may still make the call."""
    for key in keys:
        if key.consumer_id != str(job.consumer_id) or key.refusal(time.time()) is not None:
            continue
        if key.may_use(bot) and key.may_call(job.method.lower()):
            return key
    return None
