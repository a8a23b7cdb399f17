"""A run counts only where those who are compared did as well as they can."""

from bench.lineup import AIOHTTP, KNOWN, NGINX, NODE, WSGI, fallen


def at_pace(pace: float, **others: float) -> dict[str, float]:
    return {name: known * pace for name, known in KNOWN.items()} | others


def test_a_run_as_known_counts() -> None:
    assert fallen(at_pace(1)) == []


def test_on_a_slower_machine_all_may_be_slower() -> None:
    assert fallen(at_pace(0.4)) == []


def test_a_peer_may_lose_a_quarter() -> None:
    assert fallen(at_pace(0.5) | {NODE: KNOWN[NODE] * 0.5 * 0.76}) == []


def test_a_peer_that_loses_more_makes_it_void() -> None:
    (why,) = fallen(at_pace(0.5) | {AIOHTTP: KNOWN[AIOHTTP] * 0.5 * 0.7})
    assert AIOHTTP in why
    assert "0.70" in why


def test_who_was_not_measured_or_is_not_known_says_nothing() -> None:
    assert fallen({NGINX: 84_000, WSGI: 1}) == []
