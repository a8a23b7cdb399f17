"""The last line of defence: nothing that looks like a secret leaves through a log."""

import logging
import re

# A bot token: the bot's numeric id, a colon (plain or percent-encoded) and 20 or more characters.
_TOKEN = re.compile(r"\d{3,20}(?::|%3[Aa])[A-Za-z0-9_-]{20,}")
_API_KEY = re.compile(r"tgm_live_[0-9A-Za-z]{8,}")
# One-time links carry their token in the path, and so does the address that Telegram posts to.
_LINK = re.compile(r"/(setup|invite|tg-webhook)/[A-Za-z0-9_-]{16,}")
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{16,}")
_USERINFO = re.compile(r"://[^/@\s]+@")


def redact(text: str) -> str:
    """Return `text` with every token, key, webhook secret and URL password blotted out."""
    text = _TOKEN.sub("[token]", text)
    text = _API_KEY.sub("[api key]", text)
    text = _LINK.sub(r"/\1/[token]", text)
    text = _WEBHOOK_SECRET.sub("[webhook secret]", text)
    return _USERINFO.sub("://[hidden]@", text)


class RedactingFormatter(logging.Formatter):
    """Formats a record, its traceback included, and redacts the whole."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
