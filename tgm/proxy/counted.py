"""Counting what of a body has been sent."""

from collections.abc import Callable, Iterable, Iterator

from tgm.telegram.errors import Failure


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
