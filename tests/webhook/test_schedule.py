"""The schedule as a table."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.webhook import schedule

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECONDS = (5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200)


@pytest.mark.parametrize(("made", "seconds"), list(enumerate(SECONDS, 1)))
def test_each_failure_waits_longer(made: int, seconds: int) -> None:
    assert schedule.next_attempt_at(made, NOON, jitter=0) == NOON + timedelta(seconds=seconds)


def test_the_schedule_ends_after_the_ninth_retry() -> None:
    assert schedule.next_attempt_at(10, NOON, jitter=0) is None
    assert schedule.next_attempt_at(10, NOON, jitter=0, retry_after=60) is None


@given(st.integers(1, 9), st.floats(-1, 1))
def test_jitter_stays_within_a_fifth(made: int, jitter: float) -> None:
    at = schedule.next_attempt_at(made, NOON, jitter=jitter)
    assert at is not None
    share = (at - NOON).total_seconds() / SECONDS[made - 1]
    assert 0.799 <= share <= 1.201


def test_jitter_reaches_a_fifth_both_ways() -> None:
    waits = [schedule.next_attempt_at(3, NOON, jitter=jitter) for jitter in (-1, 0, 1)]
    assert waits == [NOON + timedelta(seconds=seconds) for seconds in (96, 120, 144)]
    assert all(earlier < later for earlier, later in pairwise(filter(None, waits)))


@pytest.mark.parametrize(
    ("made", "asked", "waits"), [(1, 60, 60), (1, 2, 5), (3, 90_000, 3600), (9, 60, 43_200)]
)
def test_retry_after_lengthens_the_wait_up_to_an_hour(made: int, asked: int, waits: int) -> None:
    at = schedule.next_attempt_at(made, NOON, jitter=0, retry_after=asked)
    assert at == NOON + timedelta(seconds=waits)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 3600),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 12:01:30", None),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: int | None) -> None:
    assert schedule.retry_after([("Date", "x"), ("retry-after", text)], NOON) == seconds


def test_without_the_header_nothing_was_asked_for() -> None:
    assert schedule.retry_after([("Server", "x")], NOON) is None


def test_a_chat_is_held_for_some_minutes_or_for_ever() -> None:
    assert schedule.holds_until(NOON, 10) == NOON + timedelta(minutes=10)
    assert schedule.holds_until(NOON, 0) is None


def test_an_endpoint_is_given_up_after_three_days() -> None:
    assert not schedule.is_given_up(NOON, NOON + timedelta(days=2, hours=23))
    assert schedule.is_given_up(NOON, NOON + timedelta(days=3))
