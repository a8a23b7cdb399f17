"""Server-sent events, as bytes."""

import re

# What ends a line in an event stream; Python's splitlines knows more, which are text here.
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")

# A comment: it tells the reader nothing, and everybody between that the connection is in use.
HEARTBEAT = b":\n\n"


def event(data: bytes) -> bytes:
    """Return an event that carries `data`, whatever lines it has: none of them ends the event."""
    lines = _LINE_ENDS.split(data)
    return b"".join(b"data: %s\n" % line for line in lines) + b"\n"


def retry(milliseconds: int) -> bytes:
    """Return the word after how long a browser connects again by itself."""
    return b"retry: %d\n\n" % milliseconds
