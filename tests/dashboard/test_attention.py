"""What needs a person: each rule by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tgm.dashboard.attention import Finding, Kind, find
from tgm.dashboard.known import BotFacts, CallFacts, EndpointFacts, KeyFacts, Seen
from tgm.shared.ids import new_id
from tgm.webhook.models import Acknowledge, Mode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WELL = EndpointFacts(id=new_id(), name="Shop")
BOT = BotFacts(id=new_id(), name="Kasir", mode=Mode.WEBHOOK, endpoints=(WELL,))
KEY = KeyFacts(id=new_id(), name="Program")


def ago(**length: float) -> datetime:
    return NOON - timedelta(**length)


def seen(**length: float) -> Seen:
    return Seen(ago(**length), ago(**length))


def about(bot: BotFacts) -> list[Finding]:
    return find([bot], [], NOON)


def kinds(bot: BotFacts) -> list[Kind]:
    return [finding.kind for finding in about(bot)]


def with_endpoint(**facts: Any) -> BotFacts:
    return replace(BOT, endpoints=(replace(WELL, **facts),))


def test_where_all_is_well_nothing_needs_a_person() -> None:
    assert find([BOT], [KEY], NOON) == []


@pytest.mark.parametrize(
    ("endpoint", "words", "screen"),
    [
        ({"paused_because": "gone"}, "answered 410", "dashboard.webhooks.show"),
        ({"paused_because": "failing"}, "for three days", "dashboard.webhooks.show"),
        ({"failing_since": ago(hours=1)}, "does not take", "dashboard.deliveries.index"),
        ({"given_up": 3}, "were given up", "dashboard.deliveries.index"),
    ],
)
def test_an_endpoint_that_takes_nothing_is_failing(
    endpoint: dict[str, Any], words: str, screen: str
) -> None:
    (finding,) = about(with_endpoint(**endpoint))
    assert (finding.kind, finding.screen, finding.is_broken) == (Kind.FAILING, screen, True)
    assert words in finding.sentence % finding.values
    assert "Shop" in finding.sentence % finding.values
    assert finding.subject == "Kasir"


def test_a_failing_endpoint_says_what_it_answers_since_when_and_how_many_wait() -> None:
    failing = with_endpoint(failing_since=ago(hours=2), last_error="HTTP 503", pending=23)
    (finding,) = about(failing)
    said = finding.sentence % finding.values
    assert said == "Shop does not take its updates: HTTP 503. Waiting: 23."
    assert finding.at == ago(hours=2)


def test_what_a_person_has_paused_is_meant_so() -> None:
    assert kinds(with_endpoint(paused_because="person", oldest_at=ago(hours=5), given_up=3)) == []
    assert kinds(replace(with_endpoint(oldest_at=ago(hours=5)), is_held=True)) == []
    switched_off = with_endpoint(paused_because="gone", oldest_at=ago(hours=5))
    assert kinds(replace(switched_off, is_disabled=True, problem="taken_over")) == []


@pytest.mark.parametrize(
    ("oldest_at", "expected"),
    [
        (None, []),
        (ago(seconds=60), []),
        (ago(seconds=61), [Kind.LATE]),
        (ago(days=2), [Kind.LATE]),
    ],
)
def test_a_delivery_open_for_more_than_a_minute_is_late(
    oldest_at: datetime | None, expected: list[Kind]
) -> None:
    assert kinds(with_endpoint(oldest_at=oldest_at, pending=1)) == expected


def test_one_endpoint_is_named_once() -> None:
    assert kinds(with_endpoint(failing_since=ago(hours=1), oldest_at=ago(hours=1))) == [
        Kind.FAILING
    ]


@pytest.mark.parametrize(
    ("problem", "kind", "screen"),
    [
        ("taken_over", Kind.TAKEN_OVER, "dashboard.webhooks.show"),
        ("refused", Kind.REFUSED, "dashboard.bots.doctor"),
        ("unreachable", Kind.UNREACHABLE, "dashboard.bots.doctor"),
    ],
)
def test_a_problem_of_receiving_is_told_with_its_reason(
    problem: str, kind: Kind, screen: str
) -> None:
    (finding,) = about(replace(BOT, problem=problem, problem_text="100% elsewhere"))
    assert (finding.kind, finding.screen) == (kind, screen)
    assert (finding.sentence % finding.values).endswith("100% elsewhere")


def test_a_token_that_telegram_refused_is_to_be_replaced() -> None:
    (finding,) = about(replace(BOT, calls=CallFacts(refused_at=ago(minutes=5))))
    assert (finding.kind, finding.screen) == (Kind.REFUSED, "dashboard.bots.token")
    assert finding.place == {"bot_id": str(BOT.id)}
    assert finding.at == ago(minutes=5)


@pytest.mark.parametrize(
    ("expires_at", "is_told"),
    [
        (None, False),
        (NOON, False),
        (NOON + HOUR, True),
        (NOON + timedelta(days=14), True),
        (NOON + timedelta(days=14, seconds=1), False),
    ],
)
def test_a_key_that_ends_within_a_fortnight_is_told(
    expires_at: datetime | None, is_told: bool
) -> None:
    found = find([], [replace(KEY, expires_at=expires_at)], NOON)
    assert [finding.kind for finding in found] == [Kind.KEY_ENDS] * is_told
    assert [finding.at for finding in found] == [expires_at] * is_told


@pytest.mark.parametrize(
    ("last_used_at", "is_told"), [(None, False), (ago(hours=3), False), (ago(hours=1), True)]
)
def test_a_rotated_key_is_told_only_while_a_program_still_uses_it(
    last_used_at: datetime | None, is_told: bool
) -> None:
    old = replace(KEY, expires_at=NOON + HOUR, replaced_at=ago(hours=2), last_used_at=last_used_at)
    assert len(find([], [old], NOON)) == is_told


@pytest.mark.parametrize(
    ("acknowledge", "presses", "answered_at", "is_told"),
    [
        (Acknowledge.NEVER, seen(minutes=5), None, True),
        (Acknowledge.NEVER, seen(minutes=5), ago(minutes=9), True),
        (Acknowledge.NEVER, seen(minutes=5), ago(minutes=4), False),
        (Acknowledge.NEVER, seen(seconds=59), None, False),
        (Acknowledge.NEVER, Seen(), None, False),
        # TGM answers these itself, the latter ten seconds after intake at the latest.
        (Acknowledge.AT_ONCE, seen(minutes=5), None, False),
        (Acknowledge.AFTER_DELIVERY, seen(minutes=5), None, False),
    ],
)
def test_presses_that_nobody_answers_are_to_be_looked_at(
    acknowledge: Acknowledge, presses: Seen, answered_at: datetime | None, is_told: bool
) -> None:
    calls = CallFacts(press_answered_at=answered_at)
    found = about(replace(BOT, acknowledge=acknowledge, presses=presses, calls=calls))
    assert [finding.kind for finding in found] == [Kind.PRESSES] * is_told
    assert not any(finding.is_broken for finding in found)


@pytest.mark.parametrize(
    ("messages", "acted_at", "is_told"),
    [
        (seen(minutes=30), None, True),
        (seen(minutes=30), ago(minutes=31), True),
        (seen(minutes=30), ago(minutes=30), False),
        (Seen(ago(hours=9), ago(minutes=1)), ago(hours=5), False),
        (seen(minutes=9), None, False),
        (Seen(), None, False),
    ],
)
def test_messages_that_nobody_answers_are_to_be_looked_at(
    messages: Seen, acted_at: datetime | None, is_told: bool
) -> None:
    found = about(replace(BOT, messages=messages, calls=CallFacts(acted_at=acted_at)))
    assert [finding.kind for finding in found] == [Kind.MESSAGES] * is_told


@pytest.mark.parametrize(
    ("endpoints", "is_told"),
    [
        ((), True),
        ((replace(WELL, kinds=("callback_query",)),), True),
        ((replace(WELL, kinds=("message", "callback_query")),), False),
        ((WELL,), False),
    ],
)
def test_messages_need_an_endpoint_that_takes_them_even_where_programs_call(
    endpoints: tuple[EndpointFacts, ...], is_told: bool
) -> None:
    calls = CallFacts(acted_at=NOON)
    found = about(replace(BOT, endpoints=endpoints, messages=seen(minutes=30), calls=calls))
    assert [finding.action for finding in found] == ["Add an endpoint"] * is_told


def test_what_was_called_before_the_calls_that_are_known_accuses_nobody() -> None:
    calls = CallFacts(known_from=ago(minutes=20))
    silent = replace(BOT, acknowledge=Acknowledge.NEVER, calls=calls)
    assert kinds(replace(silent, messages=seen(hours=3), presses=seen(hours=3))) == []
    lasting = Seen(ago(hours=3), ago(minutes=2))
    (press, message) = about(replace(silent, messages=lasting, presses=lasting))
    assert press.at == message.at == ago(minutes=20)


def test_where_it_is_known_why_nobody_answers_it_is_not_asked() -> None:
    broken = with_endpoint(failing_since=ago(hours=1))
    assert kinds(replace(broken, messages=seen(minutes=30))) == [Kind.FAILING]


def test_what_is_broken_comes_before_what_can_wait() -> None:
    waits = replace(BOT, messages=seen(minutes=30))
    broken = with_endpoint(paused_because="gone")
    found = find([waits, broken], [replace(KEY, expires_at=NOON + HOUR)], NOON)
    assert [finding.kind for finding in found] == [Kind.FAILING, Kind.MESSAGES, Kind.KEY_ENDS]
