"""What a call took and how it ended, for the request log."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tgm.keys.snapshot import KnownBot, KnownKey
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.requestlog import LogRow, RequestLog
from tgm.proxy.served import Delayed
from tgm.shared.clock import utcnow
from tgm.telegram.errors import Failure

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
    if isinstance(answer.body, Delayed):

        def note_later(given: ProxyAnswer, error: str | None) -> None:
            sent = sum(map(len, given.body))
            request_log.add(call.row(key, given, sent, error or given.error))

        answer.body.when_ended(note_later)
        return answer

    def note(sent: int, error: str | None) -> None:
        request_log.add(call.row(key, answer, sent, error))

    answer.body = Counted(answer.body, note)
    return answer


class Counted:
    """An answer's body that notes its call once it has been sent, or has failed to be."""

    def __init__(self, body: Iterable[bytes], note: Callable[[int, str | None], None]) -> None:
        """`note` is told the number of bytes and the kind of error, once."""
        self._source = body
        self._blocks: Iterator[bytes] = iter(body)
        self._note = note
        self._sent = 0
        self._is_noted = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = next(self._blocks)
        except StopIteration:
            self._end(None)
            raise
        except OSError:
            self._end(Failure.BROKEN)
            raise
        self._sent += len(block)
        return block

    def close(self) -> None:
        """End: called by the server in every case. One not read to its end lost its caller."""
        self._end("caller_gone")
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _end(self, error: str | None) -> None:
        if not self._is_noted:
            self._is_noted = True
            self._note(self._sent, error)
