"""A report says what was found, and whether it counts."""

import json
from pathlib import Path

from bench.report import Figure, Row, Section, at_least, at_most, write


def test_a_figure_is_its_median_with_the_spread() -> None:
    figure = Figure((9000.0, 10_000.0, 8000.0, 30_000.0, 9500.0), "calls/s")
    assert figure.median == 9500
    assert figure.words == "9,500 calls/s (8,000 to 30,000)"


def test_a_figure_that_was_taken_once_has_no_spread() -> None:
    assert Figure((0.61,), "s").words == "0.61 s"


def test_a_goal_says_whether_it_is_met() -> None:
    assert at_least(0.7, 0.7, "of it").is_met
    assert not at_least(0.69, 0.7, "of it").is_met
    assert at_most(1.5, 1.5, "ms").is_met
    assert not at_most(1.6, 1.5, "ms").is_met


def test_a_row_shows_its_ratio_beside_the_number() -> None:
    row = Row("TGM", Figure((700.0,), "calls/s"), {"Flask": 0.7}, at_least(0.7, 0.8, "of Flask"))
    table = Section("Throughput", [row]).markdown()
    assert "| TGM | 700 calls/s | 0.70 of Flask | ≥ 0.80 of Flask: **no** |  |" in table


def test_a_void_table_says_so_and_why() -> None:
    assert "**Void:** Node fell behind" in Section("All", void=["Node fell behind"]).markdown()


def test_both_files_hold_the_machine_and_every_section(tmp_path: Path) -> None:
    section = Section("Latency", [Row("TGM", Figure((1.0, 2.0, 3.0), "ms"), {"direct": 1.5})])
    table, facts = write(tmp_path / "bench", "report", {"Processor": "two cores"}, [section])
    assert "- Processor: two cores" in table.read_text()
    assert "## Latency" in table.read_text()
    content = json.loads(facts.read_text())
    assert content["machine"] == {"Processor": "two cores"}
    assert content["sections"][0]["rows"][0]["values"] == [1.0, 2.0, 3.0]
    assert content["sections"][0]["rows"][0]["ratios"] == {"direct": 1.5}
