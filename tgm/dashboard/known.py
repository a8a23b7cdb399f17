"""What is known of a team's bots, endpoints and keys: what the rules of the home screen go by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ulid import ULID

from tgm.webhook.models import Acknowledge, Mode


@dataclass(frozen=True)
class EndpointFacts:
    """How an endpoint stands. `oldest_at` is when its oldest open delivery came in.

    `failing` counts the open deliveries that were tried in vain, `given_up` those of the last day.
    """

    id: ULID
    name: str
    kinds: tuple[str, ...] | None = None
    paused_because: str | None = None
    failing_since: datetime | None = None
    last_error: str | None = None
    pending: int = 0
    failing: int = 0
    given_up: int = 0
    oldest_at: datetime | None = None


@dataclass(frozen=True)
class Seen:
    """When something came in during the last day: the first time and the last, None for never."""

    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class CallFacts:
    """What is known of the calls for a bot, from the newest ones alone.

    `known_from` is when the oldest of those was made, None where they are all there are.
    `refused_at` is when Telegram refused the token, None unless that was its last answer.
    `acted_at` is the last call that did something, `press_answered_at` that answered a press.
    """

    known_from: datetime | None = None
    refused_at: datetime | None = None
    acted_at: datetime | None = None
    press_answered_at: datetime | None = None


@dataclass(frozen=True)
class BotFacts:
    """How a bot stands. `mode` is None while TGM does not receive its updates.

    `is_held` tells that a person has paused its deliveries, `photo` which photo it has.
    """

    id: ULID
    name: str
    username: str = ""
    is_disabled: bool = False
    photo: str | None = None
    mode: Mode | None = None
    problem: str | None = None
    problem_text: str | None = None
    is_held: bool = False
    acknowledge: Acknowledge = Acknowledge.AT_ONCE
    last_update_at: datetime | None = None
    messages: Seen = Seen()
    presses: Seen = Seen()
    calls: CallFacts = CallFacts()
    endpoints: Sequence[EndpointFacts] = ()


@dataclass(frozen=True)
class KeyFacts:
    """A key that works. `replaced_at` is when its successor was made, None without one."""

    id: ULID
    name: str
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    replaced_at: datetime | None = None
