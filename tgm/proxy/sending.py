"""What sends at Telegram's pace, held together: calls that are held, and calls that are queued."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row
from ulid import ULID

from tgm.keys.snapshot import KnownBot, KnownKey, Snapshot
from tgm.proxy import forward, jobanswers, sends
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.boxpace import BoxPace
from tgm.proxy.entrance import Environ
from tgm.proxy.fingerprint import fingerprint
from tgm.proxy.holding import Held, Holding
from tgm.proxy.jobs import Jobs, NewJob
from tgm.proxy.making import Maker
from tgm.proxy.owncalls import OwnCalls
from tgm.proxy.pace import Pace, Paced, Slot
from tgm.proxy.requestlog import RequestLog
from tgm.proxy.room import Room
from tgm.proxy.sender import Owner, Sender
from tgm.proxy.target import JobTarget, MethodTarget
from tgm.security.vault import Vault
from tgm.settings import MEBIBYTE, Settings
from tgm.shared.boxfile import BoxFile
from tgm.shared.clock import utcnow
from tgm.shared.errors import NotFound, TgmError
from tgm.shared.ids import parse_id
from tgm.telegram.client import TelegramClient
from tgm.worker.loop import Job

MOST_QUEUED_BYTES = MEBIBYTE
_TOO_LARGE = (
    "Request Entity Too Large: a queued call may have %(most)s MB at most; "
    "send it without Prefer: respond-async"
)
_NO_JOB = "Not Found: job not found"


class Sending:
    """One for each process. Queued calls are made from `start` on."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        telegram: TelegramClient,
        snapshot: Snapshot,
        request_log: RequestLog,
        reader: Engine,
        writer: Engine,
        shared: BoxFile | None = None,
    ) -> None:
        """`shared` is the file of the processes that keep the pace together, None for one."""
        self.may_answer: Callable[[str], bool] = lambda _endpoint_id: False
        """Whether an endpoint's answers may still name a method to call: the relay knows."""
        self.pace: Paced = Pace() if shared is None else BoxPace(shared)
        self._has_begun = False
        self.room = Room("tgm-pace", most_threads=settings.threads)
        self._holding = Holding(self.pace, self.room)
        self._jobs = Jobs(reader, writer)
        maker = Maker(
            jobs=self._jobs,
            pace=self.pace,
            pace_clock=self.room.clock,
            vault=vault,
            telegram=telegram,
            snapshot=snapshot,
            request_log=request_log,
            may_answer=lambda endpoint_id: self.may_answer(endpoint_id),
            timeout_seconds=settings.telegram_timeout_seconds,
        )
        self._sender = Sender(self._jobs, self.pace, maker, snapshot)
        self.own = OwnCalls(
            self.pace,
            self._jobs,
            pace_clock=self.room.clock,
            # One that only delivers would have a pace of its own, beside those that serve.
            may_take=lambda: self._has_begun or shared is not None,
            queued=self._sender.wake,
        )

    def start(self, owner: Owner) -> None:
        """Begin to make queued calls."""
        self._sender.start(owner)
        self._has_begun = True

    def stop(self) -> None:
        """Refuse what is held, leave in the queue what is queued, and finish what is under way."""
        self.room.close()
        self._sender.stop()

    def jobs(self) -> list[Job]:
        """Return what the background does beside."""
        return [Job("tidy queued calls", 15, lambda: self._jobs.tidy(utcnow()))]

    def turn(self, environ: Environ, bot: KnownBot, target: MethodTarget, wait: float) -> Slot:
        """Return the turn of a call to a bot that keeps its pace. Raises PaceReached."""
        chat, messages = None, 0
        if sends.is_message(target.method):
            chat, messages = sends.addressed(environ, target)
        return self.pace.take(
            self.room.clock(), bot.id, patience=wait, messages=messages, chat=chat
        )

    def hold(self, held: Held) -> ProxyAnswer:
        """Return the answer to a call, or one that is given when its turn has come."""
        return self._holding.hold(held)

    def heed(self, bot: KnownBot, answer: ProxyAnswer) -> None:
        """Let the bot's calls wait where Telegram's answer asks for that."""
        pause = sends.asked_pause(answer)
        if pause is not None:
            self.pace.pause(self.room.clock(), bot.id, pause)

    @staticmethod
    def may_queue(environ: Environ, key: KnownKey, target: MethodTarget) -> bool:
        """Tell whether a call may be made later: people, who are no programs, wait for theirs."""
        is_post = environ["REQUEST_METHOD"] == "POST"
        return is_post and key.consumer_id != "" and sends.may_queue(target.method)

    def queue(
        self,
        environ: Environ,
        key: KnownKey,
        bot: KnownBot,
        target: MethodTarget,
        token: str | None,
    ) -> ProxyAnswer:
        """Queue a call, and say where its outcome will be; `token` stands for an Idempotency-Key.

        Raises TgmError where it is too large, TooManyRequests where too many wait.
        """
        chat, messages = sends.addressed(environ, target)
        body = forward.Body(environ)
        if body.length > MOST_QUEUED_BYTES:
            raise TgmError(_TOO_LARGE, code=413, most=MOST_QUEUED_BYTES // MEBIBYTE)
        content = b"".join(body.blocks())
        content_type = environ.get("CONTENT_TYPE") or ""
        asked = None
        if token is not None:
            asked = fingerprint(bot.id, target.method, target.query, content_type, [content])
        job = NewJob(
            team_id=bot.team_id,
            bot_id=bot.id,
            key_id=key.id,
            consumer_id=key.consumer_id,
            method=target.method,
            query=target.query,
            content_type=content_type,
            body=content,
            chat=chat or "",
            messages=messages,
            token=token,
            fingerprint=asked,
        )
        job_id = self._jobs.add(job, utcnow())
        self._sender.wake()
        return jobanswers.accepted(environ, bot.id, job_id)

    def queued(self, bot_id: ULID) -> int:
        """Return how many queued calls of a bot are still to be made, or under way."""
        return self._jobs.count(str(bot_id))

    def ended_answers(self, since: datetime) -> Sequence[Row[Any]]:
        """Return what became of queued calls that receivers' answers asked for: see `Jobs`."""
        return self._jobs.ended_answers(since)

    def outcome(self, environ: Environ, key: KnownKey, target: JobTarget) -> ProxyAnswer:
        """Tell how a program's job stands. Raises NotFound, for another program's job too."""
        found: Any = None
        if key.consumer_id and parse_id(target.job_id) is not None:
            found = self._jobs.find(target.bot_id, key.consumer_id, target.job_id)
        if found is None:
            raise NotFound(_NO_JOB)
        return jobanswers.told(environ, found)
