"""A bot at a glance: how it receives, what waits, and what its programs call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ulid import ULID

from tgm.bots.avatar import Avatar
from tgm.dashboard.attention import Finding
from tgm.dashboard.known import BotFacts
from tgm.dashboard.standing import MOST_COUNTED
from tgm.proxy.figures import Totals
from tgm.webhook.models import Mode


@dataclass(frozen=True)
class Card:
    """What a bot's card shows, and nothing else: it is sent again when it differs.

    `mode` is None while TGM does not receive. `calls` and `errors` are those of 24 hours.
    `broken` and `to_look_at` count what needs a person.
    """

    id: ULID
    name: str
    username: str
    is_disabled: bool
    photo: str | None
    mode: Mode | None
    is_held: bool
    has_problem: bool
    last_update_at: datetime | None
    endpoints: int
    pending: int
    failing: int
    calls: int
    errors: int
    broken: int
    to_look_at: int

    @property
    def avatar(self) -> Avatar:
        """What stands for the bot."""
        return Avatar(self.id, self.name, self.photo)

    @property
    def failing_at_least(self) -> bool:
        """Whether more deliveries may be failing than were counted."""
        return self.failing >= MOST_COUNTED


def of_bots(
    bots: Sequence[BotFacts],
    totals: Mapping[ULID, Totals],
    findings: Sequence[Finding],
) -> list[Card]:
    """Return a card for each bot."""
    return [
        _card(
            bot,
            totals.get(bot.id, Totals(0, 0)),
            [finding for finding in findings if finding.bot_id == bot.id],
        )
        for bot in bots
    ]


def _card(bot: BotFacts, totals: Totals, findings: Sequence[Finding]) -> Card:
    broken = sum(finding.is_broken for finding in findings)
    return Card(
        id=bot.id,
        name=bot.name,
        username=bot.username,
        is_disabled=bot.is_disabled,
        photo=bot.photo,
        mode=bot.mode,
        is_held=bot.is_held,
        has_problem=bot.problem is not None,
        last_update_at=bot.last_update_at,
        endpoints=len(bot.endpoints),
        pending=sum(one.pending for one in bot.endpoints),
        failing=sum(one.failing for one in bot.endpoints),
        calls=totals.calls,
        errors=totals.errors,
        broken=broken,
        to_look_at=len(findings) - broken,
    )
