"""A call that Telegram has been asked for, without a thread that waits for the answer."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.counted import Counted
from tgm.proxy.forward import WHOLE_BYTES
from tgm.proxy.later import AnswerLine, Later
from tgm.shared.waiting import WAITER
from tgm.telegram.answer import Answer
from tgm.telegram.errors import TelegramUnreachable
from tgm.telegram.exchange import Done


class StreamLine(AnswerLine, Protocol):
    """Where an answer may also go as it comes."""

    def stream(self, status: str, headers: list[tuple[str, str]], blocks: Counted) -> None:
        """Give the answer, in a thread that may wait for its reader; close `blocks` at the end."""

    def drop(self) -> None:
        """Break the connection off."""


class Asked(Later):
    """Its answer, given in the waiter's thread, or in one that has read the rest of a long one."""

    def __init__(
        self,
        environ: Mapping[str, Any],
        *,
        begin: Callable[[Done], bool],
        make: Callable[[], ProxyAnswer],
        end: Callable[[Answer], ProxyAnswer],
        refusal: Callable[[Exception], ProxyAnswer],
    ) -> None:
        """`begin` sends the call, unless it returns False: then a thread has to `make` it. `end`
        makes Telegram's answer the caller's; `refusal` makes an error an answer."""
        super().__init__(environ)
        self._begin = begin
        self._make = make
        self._end = end
        self._refusal = refusal

    def attach(self, line: StreamLine) -> None:
        """Ask, now that there is somebody to answer."""
        self._line, self._streams, self._drop = line, line.stream, line.drop
        try:
            has_begun = self._begin(self._came)
        except Exception as error:  # noqa: BLE001 - those that nobody expects are logged
            self._give(self._refusal(error))
            return
        if not has_begun:
            self._in_thread(self._make)

    def lost(self) -> None:
        """Hear that the caller has gone. What has been sent is noted all the same."""

    def _came(self, outcome: Answer | TelegramUnreachable) -> None:
        if isinstance(outcome, TelegramUnreachable):
            self._finish(partial(self._refusal, outcome))
        elif outcome.is_here(WHOLE_BYTES):
            self._finish(partial(self._end, outcome))
        else:
            outcome.be_patient()
            self._in_thread(partial(self._end, outcome))

    def _in_thread(self, make: Callable[[], ProxyAnswer]) -> None:
        self._environ[WAITER].in_thread(partial(self._finish, make))

    def _finish(self, make: Callable[[], ProxyAnswer]) -> None:
        try:
            answer = make()
        except Exception as error:  # noqa: BLE001 - those that nobody expects are logged
            answer = self._refusal(error)
        try:
            if isinstance(answer.body, list):
                self._give(answer)
            else:
                self._stream(answer)
        except BaseException:
            # Nobody else would: the caller would wait for ever.
            self._drop()
            raise

    def _stream(self, answer: ProxyAnswer) -> None:
        """Give an answer that is too long to wait for all of it. In a thread only."""
        self._complete(answer)
        blocks = Counted(answer.body, partial(self._note, answer))
        self._streams(answer.status_line, answer.headers, blocks)
