"""Ids are ULIDs: 26 characters of Crockford's base 32, sortable by the time they were made."""

import re

from ulid import ULID
from werkzeug.routing import BaseConverter, ValidationError

# 128 bits in 26 characters of 5 bits: the first character can only be 0 to 7.
_CANONICAL = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


def new_id() -> ULID:
    """Return a fresh id."""
    return ULID()


def parse_id(text: str) -> ULID | None:
    """Return the id, or None when `text` is not a ULID in its canonical (upper-case) form."""
    return ULID.from_str(text) if _CANONICAL.fullmatch(text) else None


class UlidConverter(BaseConverter):
    """`<ulid:name>` in a URL rule: matches a canonical ULID, and nothing else."""

    regex = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"

    def to_python(self, value: str) -> ULID:
        parsed = parse_id(value)
        if parsed is None:
            raise ValidationError
        return parsed

    def to_url(self, value: ULID | str) -> str:
        return str(value)
