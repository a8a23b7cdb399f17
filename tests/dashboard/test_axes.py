"""Numbers on an axis are round, and what is drawn stays inside and can be seen."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.dashboard import axes
from tgm.shared.spans import SPANS, Span, starts

COUNTS = st.integers(0, 10**12)
MILLISECONDS = st.integers(0, 30 * 86_400_000)


@given(COUNTS)
def test_ticks_are_round_and_reach_just_above(most: int) -> None:
    ticks = axes.ticks(most)
    step = ticks[1]
    assert ticks[0] == 0
    assert {later - earlier for earlier, later in pairwise(ticks)} == {step}
    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert 2 <= len(ticks) <= 5
    assert ticks[-1] >= most
    assert ticks[-1] - step < max(most, 1)


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, (0, 1)),
        (3, (0, 1, 2, 3)),
        (7, (0, 2, 4, 6, 8)),
        (11, (0, 5, 10, 15)),
        (1263, (0, 500, 1000, 1500)),
    ],
)
def test_some_ticks(most: int, ticks: tuple[int, ...]) -> None:
    assert axes.ticks(most) == ticks


@given(st.lists(COUNTS, min_size=1, max_size=4), st.integers(0, 10**12))
def test_a_stack_fits_and_each_part_is_seen(values: list[int], more: int) -> None:
    top = axes.ticks(sum(values) + more)[-1]
    heights = axes.heights(values, top)
    assert sum(heights) <= 100.0001
    for value, height in zip(values, heights, strict=True):
        assert height >= axes.LEAST if value else height == 0


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=4))
def test_where_nothing_is_tiny_heights_are_in_proportion(values: list[int]) -> None:
    top = 4 * sum(values)
    for value, height in zip(values, axes.heights(values, top), strict=True):
        assert height == pytest.approx(max(axes.LEAST, value * 100 / top))


@given(MILLISECONDS, MILLISECONDS)
def test_every_duration_stands_between_its_ticks(one: int, other: int) -> None:
    shortest, longest = sorted((one, other))
    scale = axes.duration_ticks(shortest, longest)
    assert len(scale) >= 2
    assert scale[0] <= max(shortest, 1)
    assert scale[-1] >= longest
    low, high = (axes.duration_height(each, scale) for each in (shortest, longest))
    assert 0 <= low <= high <= 100


def test_ticks_of_durations_are_equally_far_apart() -> None:
    scale = axes.duration_ticks(12, 70_000)
    assert scale == (10, 100, 1_000, 10_000, 60_000, 600_000)
    assert [axes.duration_height(tick, scale) for tick in scale] == [0, 20, 40, 60, 80, 100]


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(list(SPANS.values())),
)
def test_some_pieces_are_labelled_and_none_so_near_the_end_that_it_would_be_cut(
    now: datetime, span: Span
) -> None:
    name = span.name
    labels = axes.labelled(name, starts(SPANS[name], now))
    assert len(labels) == SPANS[name].count
    assert 2 <= sum(label == "major" for label in labels) <= 7
    assert labels[-1] == ""


def test_labels_stand_at_round_times() -> None:
    begun = [datetime(2026, 11, 20, 13, tzinfo=UTC) + timedelta(hours=hour) for hour in range(24)]
    labels = axes.labelled("24h", begun)
    major = [at.hour for at, label in zip(begun, labels, strict=True) if label == "major"]
    minor = [at.hour for at, label in zip(begun, labels, strict=True) if label == "minor"]
    assert (major, minor) == ([18, 0, 6], [15, 21, 3, 9])
