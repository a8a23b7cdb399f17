"""What a call took and how it ended, for the request log."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tgm.keys.snapshot import KnownBot, KnownKey
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.requestlog import LogRow
from tgm.shared.clock import utcnow


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
        return int(text) if text.isdecimal() else 0


class Counted:
    """An answer's body that notes its call once it has been sent, or has failed to be."""

    def __init__(self, answer: ProxyAnswer, call: Call, note: Callable[[LogRow], None]) -> None:
        self._answer = answer
        self._source = answer.body
        self._blocks: Iterator[bytes] = iter(answer.body)
        self._call = call
        self._note = note
        self._sent = 0
        self._is_noted = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = next(self._blocks)
        except StopIteration:
            self._end(self._answer.error)
            raise
        except OSError:
            self._end("telegram_broken")
            raise
        self._sent += len(block)
        return block

    def close(self) -> None:
        """End: called by the server in every case. One not read to its end lost its caller."""
        self._end("caller_gone")
        close = getattr(self._source, "close", None) or getattr(self._blocks, "close", None)
        if close is not None:
            close()

    def _end(self, error: str | None) -> None:
        call, key = self._call, self._call.key
        if self._is_noted or key is None:
            return
        self._is_noted = True
        self._note(
            LogRow(
                at=utcnow(),
                team_id=key.team_id,
                bot_id=call.bot.id if call.bot else None,
                key_id=key.id,
                method=call.method,
                source=self._answer.source,
                status=self._answer.status,
                bytes_in=call.bytes_in,
                bytes_out=self._sent,
                milliseconds=round((time.perf_counter() - call.started) * 1000),
                error=error,
            )
        )
