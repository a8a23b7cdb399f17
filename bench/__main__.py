"""Measure: python -m bench [--quick] [--only NAME]…

Prints each section as it ends, and writes all of them to instance/bench/.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from bench import machine, report
from bench.report import Section
from bench.run import Bench, preparing
from tgm.settings import PROJECT

SECTIONS = ("throughput", "latency", "bodies", "relay", "company", "rest")
FOLDER = PROJECT / "instance" / "bench"


def main() -> None:
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repetitions")
    parser.add_argument("--only", action="append", choices=SECTIONS, metavar="NAME")
    given = parser.parse_args()
    if (why := machine.missing()) is not None:
        sys.exit(why)
    facts = machine.facts()
    found = []
    with preparing(is_quick=given.quick) as bench:
        for name in given.only or SECTIONS:
            if find_spec(f"bench.sections.{name}") is None:
                continue
            print(f"Measuring {name} ...", file=sys.stderr, flush=True)
            section = _runner(name)(bench)
            print(section.markdown(), flush=True)
            found.append(section)
    facts["Load average at the end"] = machine.load()
    name = "quick" if given.quick else "report"
    for path in report.write(FOLDER, name, facts, found):
        print(f"Written: {path}", file=sys.stderr)


def _runner(name: str) -> Callable[[Bench], Section]:
    run: Callable[[Bench], Section] = import_module(f"bench.sections.{name}").run
    return run


if __name__ == "__main__":
    main()
