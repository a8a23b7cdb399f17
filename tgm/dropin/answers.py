"""TGM's own good answers, in Telegram's shape."""

import json
from collections.abc import Sequence

from tgm.proxy.answers import ProxyAnswer
from tgm.shared.marks import GATEWAY


def updates(raws: Sequence[bytes]) -> ProxyAnswer:
    """Return getUpdates' answer: each update byte for byte as Telegram sent it."""
    return ok(b"[" + b",".join(raws) + b"]")


def ok(result: bytes, description: str | None = None) -> ProxyAnswer:
    """Return a good answer with a result in JSON."""
    more = b"" if description is None else b',"description":' + json.dumps(description).encode()
    body = b'{"ok":true,"result":' + result + more + b"}"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return ProxyAnswer(200, headers, [body], GATEWAY)
