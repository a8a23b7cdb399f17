"""What needs a person: rules over what is known of bots, endpoints and keys. No query, no clock."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ulid import ULID

from tgm.dashboard.known import BotFacts, CallFacts, EndpointFacts, KeyFacts, Seen
from tgm.shared.errors import N_
from tgm.webhook.models import Acknowledge

LATE = timedelta(minutes=1)
KEY_ENDS_SOON = timedelta(days=14)
# A receiver may take its time, and a press is answered within the minute or not at all.
PRESS_GRACE = timedelta(minutes=1)
MESSAGE_GRACE = timedelta(minutes=10)


class Kind(StrEnum):
    """What a finding is about."""

    FAILING = "failing"
    REFUSED = "refused"
    TAKEN_OVER = "taken_over"
    UNREACHABLE = "unreachable"
    LATE = "late"
    KEY_ENDS = "key_ends"
    PRESSES = "presses"
    MESSAGES = "messages"


@dataclass(frozen=True)
class Finding:
    """One thing that needs a person.

    `sentence` is marked with `N_` and has `%(name)s` places for `values`; `action` names what the
    link to `screen`, an endpoint of the dashboard with `place` as its arguments, leads to. `at` is
    since when, or for a key until when. Without `is_broken` it can wait, or is only a guess.
    """

    kind: Kind
    subject: str
    sentence: str
    action: str
    screen: str
    place: Mapping[str, str]
    values: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None
    bot_id: ULID | None = None
    is_broken: bool = True


def find(bots: Sequence[BotFacts], keys: Sequence[KeyFacts], now: datetime) -> list[Finding]:
    """Return what needs a person: what is broken first, then what can wait."""
    found = [finding for bot in bots for finding in _of_bot(bot, now)]
    found += [finding for key in keys for finding in _of_key(key, now)]
    return sorted(found, key=lambda finding: not finding.is_broken)


def _of_bot(bot: BotFacts, now: datetime) -> Iterator[Finding]:
    if bot.is_disabled:
        # A person has switched it off: what stands still, stands still on purpose.
        return
    broken = [*_receiving(bot), *_endpoints(bot, now)]
    yield from broken
    if not broken:
        # Else it is known already why nobody answers.
        yield from _unanswered(bot, now)


def _receiving(bot: BotFacts) -> Iterator[Finding]:
    webhook = "dashboard.webhooks.show"
    text = {"text": bot.problem_text or ""}
    if bot.problem == "taken_over":
        sentence = N_("Somebody else receives this bot's updates. %(text)s")
        yield _about(bot, Kind.TAKEN_OVER, sentence, N_("Take it back"), webhook, values=text)
    elif bot.problem == "refused":
        sentence = N_("Telegram refuses to let TGM receive this bot's updates. %(text)s")
        yield _about(
            bot, Kind.REFUSED, sentence, N_("Ask the Doctor"), "dashboard.bots.doctor", values=text
        )
    elif bot.problem is not None:
        sentence = N_("Receiving does not work at the moment. %(text)s")
        yield _about(
            bot,
            Kind.UNREACHABLE,
            sentence,
            N_("Ask the Doctor"),
            "dashboard.bots.doctor",
            values=text,
        )
    if bot.calls.refused_at is not None:
        yield _about(
            bot,
            Kind.REFUSED,
            N_("Telegram does not know this bot's token any more: it answers calls with 401."),
            N_("Replace the token"),
            "dashboard.bots.token",
            at=bot.calls.refused_at,
        )


def _endpoints(bot: BotFacts, now: datetime) -> Iterator[Finding]:
    for endpoint in bot.endpoints:
        finding = _failing(bot, endpoint) or _late(bot, endpoint, now)
        if finding is not None:
            yield finding


def _failing(bot: BotFacts, endpoint: EndpointFacts) -> Finding | None:
    waiting = {"endpoint": endpoint.name, "pending": endpoint.pending}
    settings = ("dashboard.webhooks.show", {"_anchor": f"endpoint-{endpoint.id}"})
    if endpoint.paused_because == "gone":
        sentence = N_("%(endpoint)s answered 410, so TGM sends it nothing. Waiting: %(pending)s.")
        action, (screen, place) = N_("Resume or remove it"), settings
    elif endpoint.paused_because == "failing":
        sentence = N_(
            "Nothing has reached %(endpoint)s for three days, so TGM paused it. "
            "Waiting: %(pending)s."
        )
        action, (screen, place) = N_("Resume or remove it"), settings
    elif endpoint.paused_because == "key":
        sentence = N_(
            "No API key of the program behind %(endpoint)s works any more, so TGM paused it. "
            "Waiting: %(pending)s."
        )
        action, (screen, place) = N_("Resume or remove it"), settings
    elif endpoint.paused_because is not None:
        return None
    elif endpoint.failing_since is not None:
        sentence = N_("%(endpoint)s does not take its updates: %(error)s. Waiting: %(pending)s.")
        action, screen = N_("See what it answers"), "dashboard.deliveries.index"
        place = {"bot": str(bot.id), "to": str(endpoint.id)}
    elif endpoint.given_up:
        sentence = N_("Updates for %(endpoint)s were given up in the last 24 hours: %(given_up)s.")
        action, screen = N_("Replay them"), "dashboard.deliveries.index"
        place = {"bot": str(bot.id), "to": str(endpoint.id), "state": "dead"}
    else:
        return None
    values = {**waiting, "error": endpoint.last_error or "?", "given_up": endpoint.given_up}
    return _about(
        bot,
        Kind.FAILING,
        sentence,
        action,
        screen,
        place=place,
        values=values,
        at=endpoint.failing_since,
    )


def _late(bot: BotFacts, endpoint: EndpointFacts, now: datetime) -> Finding | None:
    is_held = bot.is_held or endpoint.paused_because is not None
    if is_held or endpoint.oldest_at is None or now - endpoint.oldest_at <= LATE:
        return None
    return _about(
        bot,
        Kind.LATE,
        N_("Updates reach %(endpoint)s late. Waiting: %(pending)s."),
        N_("See what waits"),
        "dashboard.deliveries.index",
        place={"bot": str(bot.id), "to": str(endpoint.id), "state": "due"},
        values={"endpoint": endpoint.name, "pending": endpoint.pending},
        at=endpoint.oldest_at,
    )


def _unanswered(bot: BotFacts, now: datetime) -> Iterator[Finding]:
    # What a press that TGM answers by itself needs is done: nobody else has to.
    since = _in_sight(bot.presses, bot.calls)
    if (
        bot.acknowledge is Acknowledge.NEVER
        and since is not None
        and now - since >= PRESS_GRACE
        and not _is_after(bot.calls.press_answered_at, since)
    ):
        yield _about(
            bot,
            Kind.PRESSES,
            N_("TGM has seen nobody answer its button presses: the buttons keep spinning."),
            N_("Let TGM answer them"),
            "dashboard.webhooks.show",
            place={"_anchor": "acknowledge-heading"},
            at=since,
            is_broken=False,
        )
    since = _in_sight(bot.messages, bot.calls)
    if since is None or now - since < MESSAGE_GRACE or bot.is_held:
        return
    is_taken = any(one.kinds is None or "message" in one.kinds for one in bot.endpoints)
    if not is_taken:
        sentence = N_("Messages come in, and there is no endpoint that takes them.")
        action, screen = N_("Add an endpoint"), "dashboard.webhooks.show"
    elif not _is_after(bot.calls.acted_at, since):
        sentence = N_("Messages come in, and TGM has seen no call that could be an answer.")
        action, screen = N_("See the deliveries"), "dashboard.deliveries.index"
    else:
        return
    place = {"bot": str(bot.id)} if screen == "dashboard.deliveries.index" else {}
    yield _about(
        bot, Kind.MESSAGES, sentence, action, screen, place=place, at=since, is_broken=False
    )


def _in_sight(seen: Seen, calls: CallFacts) -> datetime | None:
    """Return the first time from which on the calls are known too, None where there is none."""
    if seen.first is None or seen.last is None or calls.known_from is None:
        return seen.first
    # What is between is not known: the last one alone may still have gone unanswered.
    return max(seen.first, calls.known_from) if seen.last >= calls.known_from else None


def _is_after(at: datetime | None, since: datetime) -> bool:
    return at is not None and at >= since


def _of_key(key: KeyFacts, now: datetime) -> Iterator[Finding]:
    if key.expires_at is None or not now < key.expires_at <= now + KEY_ENDS_SOON:
        return
    if key.replaced_at is None:
        sentence = N_("This API key stops working soon.")
    elif _is_after(key.last_used_at, key.replaced_at):
        sentence = N_("This API key was rotated, and a program still uses the old one.")
    else:
        return
    yield Finding(
        kind=Kind.KEY_ENDS,
        subject=key.name,
        sentence=sentence,
        action=N_("To the key"),
        screen="dashboard.keys.detail",
        place={"key_id": str(key.id)},
        at=key.expires_at,
        is_broken=False,
    )


def _about(
    bot: BotFacts,
    kind: Kind,
    sentence: str,
    action: str,
    screen: str,
    *,
    place: Mapping[str, str] | None = None,
    values: Mapping[str, object] | None = None,
    at: datetime | None = None,
    is_broken: bool = True,
) -> Finding:
    # The screens of one bot stand below its address; lists have it in their filter.
    where = {} if screen == "dashboard.deliveries.index" else {"bot_id": str(bot.id)}
    return Finding(
        kind=kind,
        subject=bot.name,
        sentence=sentence,
        action=action,
        screen=screen,
        place={**where, **(place or {})},
        values=values or {},
        at=at,
        bot_id=bot.id,
        is_broken=is_broken,
    )
