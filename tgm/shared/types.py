"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String
from sqlalchemy.types import TypeDecorator
from ulid import ULID

# SQLite numbers rows by itself only where the key is exactly INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")


class UlidType(TypeDecorator[ULID]):
    """A ULID, stored as its 26 characters."""

    impl = String(26)
    cache_ok = True

    def process_bind_param(self, value: ULID | str | None, _dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> ULID | None:
        return None if value is None else ULID.from_str(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time. Takes aware values only, and returns them in UTC.

    SQLite has no time zones and would hand back naive values, which then cannot be compared.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was about to be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
