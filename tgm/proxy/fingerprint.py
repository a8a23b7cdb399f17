"""What makes two requests with one Idempotency-Key the same request."""

import re
from collections.abc import Iterable
from hashlib import sha256

from tgm.proxy.blocks import replaced

_BOUNDARY = re.compile(r'(boundary=)("[^"]*"|[^;\s]+)', re.IGNORECASE)


def fingerprint(
    bot_id: str, method: str, query: str, content_type: str, blocks: Iterable[bytes]
) -> str:
    """Return a hash of bot, method (without regard to case), query and body.

    A multipart body's random boundary is made neutral: a program that sends the same form again
    draws another one.
    """
    found = _BOUNDARY.search(content_type)
    if found is not None and content_type.lower().startswith("multipart/"):
        boundary = found.group(2).strip('"').encode("latin-1")
        content_type = _BOUNDARY.sub(r"\1-", content_type)
        blocks = replaced(blocks, b"--" + boundary, b"--")
    total = sha256()
    for part in (bot_id, method.lower(), query, content_type):
        total.update(f"{len(part)}:{part}".encode("utf-8", "surrogateescape"))
    for block in blocks:
        total.update(block)
    return total.hexdigest()
