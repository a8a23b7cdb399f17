"""What a call took and how it ended, for the request log."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tgm.keys.snapshot import KnownBot, KnownKey
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.counted import Counted
from tgm.proxy.later import Later
from tgm.proxy.requestlog import LogRow, RequestLog
from tgm.shared.clock import utcnow

_LARGEST = 2**63 - 1


@dataclass
class Call:
    """What is known of a call so far. `method` is "file" for a download, "" where none is named."""

    environ: Mapping[str, Any]
    started: float = field(default_factory=time.perf_counter)
    key: KnownKey | None = None
    bot: KnownBot | None = None
    method: str = ""

    @property
    def bytes_in(self) -> int:
        """The size of the request's body."""
        text = self.environ.get("CONTENT_LENGTH") or "0"
        # A caller may claim any length; the log's column holds 63 bits.
        return min(int(text), _LARGEST) if text.isdecimal() else 0

    def row(self, key: KnownKey, answer: ProxyAnswer, bytes_out: int, error: str | None) -> LogRow:
        """Return the call as it is noted."""
        return LogRow(
            at=utcnow(),
            team_id=key.team_id,
            bot_id=self.bot.id if self.bot else None,
            key_id=key.id,
            method=self.method,
            source=answer.source,
            status=answer.status,
            bytes_in=self.bytes_in,
            bytes_out=bytes_out,
            milliseconds=round((time.perf_counter() - self.started) * 1000),
            error=error,
        )


def noted(answer: ProxyAnswer, call: Call, request_log: RequestLog) -> ProxyAnswer:
    """Note the call: a whole answer's now, so that it is there once the caller has it; a stream's
    when it ends."""
    key = call.key
    if key is None:
        # A call without a good key belongs to no team.
        return answer
    if isinstance(answer.body, list):
        request_log.add(call.row(key, answer, sum(map(len, answer.body)), answer.error))
        return answer
    if isinstance(answer.body, Later):

        def note_later(given: ProxyAnswer, sent: int, error: str | None) -> None:
            request_log.add(call.row(key, given, sent, error or given.error))

        answer.body.when_ended(note_later)
        return answer

    def note(sent: int, error: str | None) -> None:
        request_log.add(call.row(key, answer, sent, error))

    answer.body = Counted(answer.body, note)
    return answer
