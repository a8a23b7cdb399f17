"""The one source of the current time. Rules take `now` as an argument; only callers ask here."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def from_epoch(seconds: float) -> datetime:
    """Return the UTC time of `seconds` since 1970-01-01."""
    return datetime.fromtimestamp(seconds, UTC)
