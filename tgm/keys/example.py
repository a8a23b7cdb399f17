"""A line to try a new key with."""

from collections.abc import Sequence

from tgm.keys.patterns import allows
from tgm.security.secret import Secret

_MESSAGE = '-H \'Content-Type: application/json\' -d \'{"chat_id": 123456789, "text": "Hello"}\''


def curl_line(base_url: str, bot_id: str | None, patterns: Sequence[str], secret: Secret) -> str:
    """Return a curl command that the key may run: getMe if it can, which needs no chat.

    `base_url` ends with a slash. Without a `bot_id` the line has a place for one.
    """
    method, body = "getMe", ""
    if not allows(patterns, "getMe"):
        if allows(patterns, "sendMessage"):
            method, body = "sendMessage", f" {_MESSAGE}"
        else:
            method = next((pattern for pattern in patterns if "*" not in pattern), "<method>")
    url = f"{base_url}api/v1/bots/{bot_id or '<bot id>'}/{method}"
    return f"curl -X POST '{url}' -H 'X-API-Key: {secret.value}'{body}"
