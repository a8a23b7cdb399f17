"""Answers that are given later, by whoever has them then, without holding a thread meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from tgm.live.channel import HOLD
from tgm.proxy.answers import ProxyAnswer, own
from tgm.shared.marks import GATEWAY, SOURCE
from tgm.telegram.errors import Failure, TelegramUnreachable

# Decided by the answer itself, not by what stood before it was there.
_OWN_HEADERS = frozenset({"Content-Type", SOURCE})


Note = Callable[[ProxyAnswer, int, str | None], None]
"""Told the answer, the number of its body's bytes, and the kind of error if it failed."""


class AnswerLine(Protocol):
    """Where the answer goes: a `tgm.live.channel.Line`, for one."""

    def answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        """Give the whole answer."""


class Later:
    """The body of such an answer; the status before it does not count.

    See `tgm.live.channel.Held`.
    """

    def __init__(self, environ: Mapping[str, Any]) -> None:
        """`environ` has HOLD."""
        self._environ = environ
        self._line: AnswerLine | None = None
        self._note: Note = lambda _answer, _sent, _error: None
        # What is added to this list until then goes out with the answer.
        self._headers: list[tuple[str, str]] = []

    def announced(self) -> ProxyAnswer:
        """Return the answer as it stands before it is there."""
        answer = ProxyAnswer(200, [("Content-Type", "application/json")], self, GATEWAY)
        self._headers = answer.headers
        return answer

    def __iter__(self) -> Iterator[bytes]:
        self._environ[HOLD](self, whole=True)
        yield from ()

    def when_ended(self, note: Note) -> None:
        """Hand the answer to `note` once it has been given."""
        self._note = note

    def _give(self, answer: ProxyAnswer) -> None:
        """Give an answer that is a list of blocks."""
        self._complete(answer)
        self._note(answer, sum(map(len, answer.body)), None)
        if self._line is not None:
            self._line.answer(answer.status_line, answer.headers, b"".join(answer.body))

    def _complete(self, answer: ProxyAnswer) -> None:
        answer.headers += [each for each in self._headers if each[0] not in _OWN_HEADERS]
        answer.headers.append((SOURCE, answer.source))


def made(
    make: Callable[[], ProxyAnswer], refusal: Callable[[Exception], ProxyAnswer]
) -> ProxyAnswer:
    """Return the whole answer that `make` makes, or what it came to instead."""
    try:
        return _whole(make())
    except Exception as error:  # noqa: BLE001 - those that nobody expects are logged
        return refusal(error)


def _whole(answer: ProxyAnswer) -> ProxyAnswer:
    """Read an answer to its end."""
    if isinstance(answer.body, list):
        return answer
    try:
        blocks = list(answer.body)
    except OSError:
        error = TelegramUnreachable(Failure.BROKEN)
        return own(error, error.failure)
    return ProxyAnswer(
        answer.status, answer.headers, blocks, answer.source, answer.error, answer.reason
    )
