"""Spans are cut so that nothing falls between two pieces, and days are the reader's days."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from babel.dates import get_timezone
from hypothesis import given
from hypothesis import strategies as st

from tgm.shared.spans import HOUR, KEPT, SPANS, STEPS, Span, floor, sort, starts

NOON = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
ZONES = st.sampled_from(
    ["UTC", "Asia/Jakarta", "Asia/Kolkata", "America/St_Johns", "Europe/Berlin", "Pacific/Apia"]
)


@given(TIMES, st.sampled_from(STEPS))
def test_a_step_holds_the_time_it_is_named_by(at: datetime, step: int) -> None:
    begun = floor(at, step)
    assert begun <= at < begun + timedelta(seconds=step)
    assert begun.timestamp() % step == 0


@given(TIMES, st.sampled_from(list(SPANS.values())), ZONES)
def test_pieces_follow_each_other_and_the_last_holds_now(
    now: datetime, span: Span, name: str
) -> None:
    begun = starts(span, now, get_timezone(name))
    assert len(begun) == span.count
    assert begun[-1] <= now
    lengths = [(later - earlier).total_seconds() for earlier, later in pairwise(begun)]
    assert all(span.seconds - 2 * HOUR < length < span.seconds + 2 * HOUR for length in lengths)
    if span.seconds <= HOUR:
        assert set(lengths) == {span.seconds}


@given(TIMES, st.sampled_from(list(SPANS.values())), ZONES)
def test_what_is_shown_has_not_been_forgotten(now: datetime, span: Span, name: str) -> None:
    assert starts(span, now, get_timezone(name))[0] >= now - KEPT[span.step]


@given(TIMES, ZONES)
def test_days_begin_at_the_readers_midnight(now: datetime, name: str) -> None:
    zone = get_timezone(name)
    for at in starts(SPANS["30d"], now, zone):
        # Where clocks are put forward at midnight itself, the day begins at one o'clock.
        assert at.astimezone(zone).strftime("%H:%M") in {"00:00", "01:00", "23:00"}
    local = [at.astimezone(zone) for at in starts(SPANS["7d"], NOON, zone)]
    assert {at.hour for at in local} <= {0, 6, 12, 18}


@given(
    TIMES,
    st.sampled_from(list(SPANS.values())),
    ZONES,
    st.lists(st.integers(0, 30 * 24 * 3600), max_size=50),
)
def test_every_row_of_a_span_is_in_one_piece(
    now: datetime, span: Span, name: str, ages: list[int]
) -> None:
    begun = starts(span, now, get_timezone(name))
    rows = [(floor(now - timedelta(seconds=age), span.step), 1) for age in ages]
    counts = [0] * span.count
    for place, one in sort(rows, begun):
        counts[place] += one
    assert sum(counts) == sum(at >= begun[0] for at, _ in rows)
    for place, count in enumerate(counts):
        until = begun[place + 1] if place + 1 < span.count else now
        assert count == sum(
            begun[place] <= at and (at < until or at <= now == until) for at, _ in rows
        )


@pytest.mark.parametrize(
    ("span", "zone", "first", "last"),
    [
        ("1h", "UTC", "2026-11-21 11:35", "2026-11-21 12:30"),
        ("24h", "UTC", "2026-11-20 13:00", "2026-11-21 12:00"),
        ("7d", "UTC", "2026-11-14 18:00", "2026-11-21 12:00"),
        ("30d", "UTC", "2026-10-23 00:00", "2026-11-21 00:00"),
        ("7d", "Asia/Jakarta", "2026-11-14 17:00", "2026-11-21 11:00"),
        ("30d", "Asia/Jakarta", "2026-10-22 17:00", "2026-11-20 17:00"),
        ("30d", "Europe/Berlin", "2026-10-22 22:00", "2026-11-20 23:00"),
    ],
)
def test_where_pieces_begin(span: str, zone: str, first: str, last: str) -> None:
    begun = starts(SPANS[span], NOON, get_timezone(zone))
    assert (f"{begun[0]:%Y-%m-%d %H:%M}", f"{begun[-1]:%Y-%m-%d %H:%M}") == (first, last)
