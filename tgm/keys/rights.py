"""What a key may do, as a person asks for it, and the rules it has to keep. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ulid import ULID

from tgm.bots import names
from tgm.keys import patterns
from tgm.shared.errors import N_, Invalid

MOST_PER_MINUTE = 1_000_000
MOST_DAYS = 3650
MOST_OVERLAP_HOURS = 24 * 30
OVERLAP_HOURS = 24


@dataclass(frozen=True)
class Rights:
    """A key's name and limits. Without options it may use all bots of its team, and every method.

    `bot_ids` is None for all bots, those added later included; `methods` holds patterns separated
    by spaces or commas; `per_minute` is None for the general rate, `expires_at` None for never.
    """

    name: str
    bot_ids: frozenset[ULID] | None = None
    methods: str = "*"
    per_minute: int | None = None
    expires_at: datetime | None = None


def checked(rights: Rights, now: datetime, *, kept_expiry: datetime | None = None) -> Rights:
    """Return the rights as they are stored. Raises Invalid for the first that cannot be.

    `kept_expiry` may be in the past: an expired key can still be renamed.
    """
    if rights.bot_ids is not None and not rights.bot_ids:
        raise Invalid(N_("Choose at least one bot, or all of them."), field="bots")
    if rights.per_minute is not None and not 1 <= rights.per_minute <= MOST_PER_MINUTE:
        raise Invalid(
            N_("The rate must be a whole number from 1 to 1,000,000."), field="per_minute"
        )
    expires_at = rights.expires_at
    if expires_at is not None and expires_at <= now and expires_at != kept_expiry:
        raise Invalid(N_("The expiry is in the past."), field="expires")
    return Rights(
        name=names.checked(rights.name),
        bot_ids=rights.bot_ids,
        methods=" ".join(patterns.parse(rights.methods)),
        per_minute=rights.per_minute,
        expires_at=expires_at,
    )


def in_days(days: int, now: datetime) -> datetime:
    """Return the expiry `days` from now. Raises Invalid."""
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(N_("A key can be valid for 1 to 3650 days."), field="expires")
    return now + timedelta(days=days)


def end_of_overlap(own: datetime | None, hours: int, now: datetime) -> datetime:
    """Return when a rotated key stops working: never later than it would have. Raises Invalid."""
    if not 0 <= hours <= MOST_OVERLAP_HOURS:
        raise Invalid(N_("The overlap must be from 0 to 720 hours."), field="overlap")
    end = now + timedelta(hours=hours)
    return end if own is None else min(own, end)
