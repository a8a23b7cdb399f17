"""What a key may be asked to do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.keys.rights import Rights, checked, end_of_overlap, in_days
from tgm.shared.errors import Invalid

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


def test_without_options_a_key_may_do_everything_for_ever() -> None:
    assert checked(Rights("Kasir"), NOON) == Rights("Kasir", None, "*", None, None)


@pytest.mark.parametrize("rate", [0, -1, 1_000_001])
def test_a_rate_out_of_bounds_is_refused(rate: int) -> None:
    with pytest.raises(Invalid) as caught:
        checked(Rights("Kasir", per_minute=rate), NOON)
    assert caught.value.field == "per_minute"


@pytest.mark.parametrize("rate", [1, 1_000_000])
def test_a_rate_within_bounds_is_kept(rate: int) -> None:
    assert checked(Rights("Kasir", per_minute=rate), NOON).per_minute == rate


@pytest.mark.parametrize("expiry", [NOON, NOON - HOUR])
def test_an_expiry_in_the_past_is_refused(expiry: datetime) -> None:
    with pytest.raises(Invalid) as caught:
        checked(Rights("Kasir", expires_at=expiry), NOON)
    assert caught.value.field == "expires"


def test_an_expiry_that_has_passed_may_stay_as_it_is() -> None:
    past = NOON - HOUR
    assert checked(Rights("Kasir", expires_at=past), NOON, kept_expiry=past).expires_at == past


def test_a_key_for_no_bot_at_all_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        checked(Rights("Kasir", bot_ids=frozenset()), NOON)
    assert caught.value.field == "bots"


def test_days_are_counted_from_now() -> None:
    assert in_days(30, NOON) == datetime(2026, 12, 21, 12, tzinfo=UTC)
    for days in (0, -1, 3651, 10**12):
        with pytest.raises(Invalid):
            in_days(days, NOON)


@given(st.none() | TIMES, st.integers(0, 720), TIMES)
def test_an_overlap_never_lengthens_a_keys_life(
    own: datetime | None, hours: int, now: datetime
) -> None:
    end = end_of_overlap(own, hours, now)
    assert end <= now + hours * HOUR
    assert own is None or end <= own
    assert end in {own, now + hours * HOUR}


@pytest.mark.parametrize("hours", [-1, 721])
def test_an_overlap_out_of_bounds_is_refused(hours: int) -> None:
    with pytest.raises(Invalid) as caught:
        end_of_overlap(None, hours, NOON)
    assert caught.value.field == "overlap"
