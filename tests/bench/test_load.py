"""What wrk printed is read as it was meant."""

import pytest

from bench.load import parse

OUTPUT = """Running 3s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Non-2xx or 3xx responses: 30
RESULT {"calls":1030,"microseconds":2000000,"p50":5850.0,"p99":118964.0,"status":30,"connect":1,\
"read":2,"write":3,"timeout":4}
"""


def test_it_reads_the_last_line_of_the_script() -> None:
    load = parse(OUTPUT)
    assert (load.calls, load.seconds) == (1030, 2.0)
    assert (load.median, load.p99) == (5.85, 118.964)


def test_refused_calls_are_no_throughput() -> None:
    assert parse(OUTPUT).per_second == 500


def test_whatever_went_wrong_is_a_failure() -> None:
    load = parse(OUTPUT)
    assert (load.refused, load.broken, load.late) == (30, 6, 4)
    assert load.failures == 40


def test_without_a_result_it_says_what_wrk_said() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:9 Connection refused")
