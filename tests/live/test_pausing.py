"""Pauses while live pages are made: what they let through, and where they end."""

import threading
import time
from collections.abc import Iterator

import pytest

from tgm.live.pausing import pausing, unhurried


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What anybody sleeps from here on, without the sleep."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def slow_rows(number: int) -> Iterator[int]:
    for row in range(number):
        began = time.monotonic()
        while time.monotonic() - began < 0.001:
            pass
        yield row


def test_rows_come_through_as_they_are_with_pauses_between(naps: list[float]) -> None:
    with pausing():
        assert list(unhurried(slow_rows(5))) == [0, 1, 2, 3, 4]
    assert len(naps) == 5
    assert all(nap >= 0 for nap in naps)


def test_nobody_else_pauses(naps: list[float]) -> None:
    with pausing():
        pass
    assert list(unhurried(slow_rows(3))) == [0, 1, 2]
    with pausing():
        other = threading.Thread(target=lambda: list(unhurried(slow_rows(3))))
        other.start()
        other.join()
    assert naps == []
