"""Calls that TGM makes itself for a bot that keeps its pace: at once, or in the queue.

Nobody waits for them, so a call that would have to wait is queued, and no thread waits with it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tgm.keys.snapshot import KnownBot
from tgm.proxy import sends
from tgm.proxy.jobs import Jobs, NewJob
from tgm.proxy.pace import Paced, PaceReached
from tgm.shared.clock import utcnow

# An answer to one delivery is queued once, whatever it says when the receiver is asked again.
_SAME = ""


@dataclass(frozen=True)
class Asked:
    """A call that an endpoint's answer to a delivery has asked for."""

    endpoint_id: str
    delivery_id: str
    method: str
    params: Mapping[str, Any] = field(repr=False)


class OwnCalls:
    """Decides for each call of TGM's own when it may leave. Shared between threads."""

    def __init__(
        self,
        pace: Paced,
        jobs: Jobs,
        *,
        pace_clock: Callable[[], float],
        clock: Callable[[], datetime] = utcnow,
        may_take: Callable[[], bool],
        queued: Callable[[], None],
    ) -> None:
        """`may_take` tells whether this process may hand out turns; `queued` hears of new jobs."""
        self._pace = pace
        self._jobs = jobs
        self._pace_clock = pace_clock
        self._clock = clock
        self._may_take = may_take
        self._queued = queued

    def may_leave(self, bot: KnownBot, asked: Asked) -> bool:
        """Tell whether the call may be made now, before all that comes later; it has its turn then.

        What waits for the same chat goes first.
        """
        if not bot.keeps_pace:
            return True
        chat, messages = sends.counted(asked.method, asked.params)
        if not self._may_take() or self._jobs.has_open(bot.id, chat or ""):
            return False
        try:
            self._pace.take(self._pace_clock(), bot.id, patience=0, messages=messages, chat=chat)
        except PaceReached:
            return False
        return True

    def queue(self, bot: KnownBot, asked: Asked) -> None:
        """Let the call be made when its turn comes: it is on disk then.

        Once for each delivery. Raises TooManyRequests where too many wait.
        """
        chat, messages = sends.counted(asked.method, asked.params)
        job = NewJob(
            team_id=bot.team_id,
            bot_id=bot.id,
            key_id=asked.endpoint_id,
            consumer_id=asked.endpoint_id,
            endpoint_id=asked.endpoint_id,
            method=asked.method,
            query="",
            content_type="application/json",
            body=json.dumps(asked.params).encode(),
            chat=chat or "",
            messages=messages,
            token=asked.delivery_id,
            fingerprint=_SAME,
        )
        self._jobs.add(job, self._clock())
        self._queued()

    def paused_for(self, bot: KnownBot) -> float:
        """Return for how many seconds nothing may leave."""
        return self._pace.paused_for(self._pace_clock(), bot.id) if bot.keeps_pace else 0.0

    def pause(self, bot: KnownBot, retry_after: object) -> None:
        """Let the bot's calls wait: Telegram has answered 429, with this."""
        if bot.keeps_pace:
            self._pace.pause(self._pace_clock(), bot.id, sends.pause_of(retry_after))
