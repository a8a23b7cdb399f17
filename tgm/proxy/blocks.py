"""Bodies in blocks."""

from collections.abc import Iterable, Iterator


def replaced(blocks: Iterable[bytes], old: bytes, new: bytes) -> Iterator[bytes]:
    """Yield `blocks` with each `old` replaced, also where it lies across two blocks."""
    held = b""
    for block in blocks:
        *parts, held = (held + block).split(old)
        for part in parts:
            yield part + new
        # The end might be the beginning of another `old`.
        keep = len(old) - 1
        if keep and len(held) > keep:
            yield held[:-keep]
            held = held[-keep:]
    yield held


class Blotted(Iterator[bytes]):
    """A stream in which each of `secrets` is blotted out with as many stars, so that its length
    stays. Closing it closes what it reads."""

    def __init__(self, source: Iterator[bytes], secrets: Iterable[bytes]) -> None:
        self._source = source
        blocks: Iterator[bytes] = source
        for secret in secrets:
            blocks = replaced(blocks, secret, b"*" * len(secret))
        self._blocks = blocks

    def __next__(self) -> bytes:
        return next(self._blocks)

    def close(self) -> None:
        """Give up what is left."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
