"""A short crash test; `make crash-test` runs the long one."""

from pathlib import Path

from tests.crash.driver import run


def test_killing_the_process_loses_nothing_and_mixes_nothing_up(tmp_path: Path) -> None:
    counts = run(tmp_path, kills=4, rate=350, drain_seconds=60)
    assert counts.is_good, f"\n{counts}"
    assert counts.kills == 4
    assert counts.fewest_in_flight > 0, "no delivery was on its way at one of the kills"
    assert counts.stored >= counts.taken == counts.delivered
