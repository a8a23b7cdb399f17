"""Logging: one line to standard error for each record, secrets blotted out."""

import logging
import sys

from tgm.security.redaction import RedactingFormatter

# urllib3 tells the address of every request at DEBUG, and Telegram's contains the token; alembic
# tells of every start; waitress tells whenever all threads are busy for a moment.
_QUIET = {
    "urllib3": logging.WARNING,
    "alembic": logging.WARNING,
    "waitress.queue": logging.ERROR,
    "flask-limiter": logging.ERROR,
}


def configure(level: str) -> None:
    """Set up the process's logging by LOG_LEVEL. Call once, before the first log line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
