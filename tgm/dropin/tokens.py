"""Virtual tokens: an API key and a bot in the form of a bot token.

Libraries demand digits before the colon and letters, digits, `_` or `-` behind it. The digits are
the bot's number at Telegram, what follows is the API key without the prefix that all keys share.
"""

import re

from tgm.security.credentials import KEY_PREFIX, is_api_key
from tgm.security.secret import Secret

_FORM = re.compile(r"([0-9]{1,20})(?::|%3[Aa])([0-9A-Za-z_-]+)", re.ASCII)
_PATH = re.compile(r"/(?:file/)?bot([^/]*)/", re.ASCII)


def virtual_token(telegram_id: int, api_key: str) -> Secret:
    """Return the token by which a library calls this bot with this key."""
    return Secret(f"{telegram_id}:{api_key.removeprefix(KEY_PREFIX)}")


def read(text: str) -> tuple[int, str] | None:
    """Return the bot's number and the API key that `text` stands for, None where it is no token.

    The colon may be percent-encoded. Whether the key is one, only the store knows.
    """
    found = _FORM.fullmatch(text)
    return None if found is None else (int(found[1]), KEY_PREFIX + found[2])


def shows_key(path: str) -> bool:
    """Tell whether a request's path holds a token with an API key's form."""
    found = _PATH.match(path)
    token = read(found[1]) if found else None
    return token is not None and is_api_key(token[1])
