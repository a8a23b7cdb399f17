"""Measure: python -m bench [--quick] [--only NAME]…

Prints each section as it ends, and writes all of them to instance/bench/.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

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
    name, found = "quick" if given.quick else "report", []
    facts = machine.facts()
    with preparing(is_quick=given.quick) as bench:
        for section in given.only or SECTIONS:
            print(f"Measuring {section} ...", file=sys.stderr, flush=True)
            began = time.monotonic()
            found.append(_measured(section, bench))
            print(f"It took {time.monotonic() - began:.0f} s.", file=sys.stderr, flush=True)
            print(found[-1].markdown(), flush=True)
            facts["Load average at the end"] = machine.load()
            written = report.write(FOLDER, name, facts, found)
    for path in written:
        print(f"Written: {path}", file=sys.stderr)
    if any(section.void for section in found):
        sys.exit("Not all of it counts: see what is void.")


def _measured(name: str, bench: Bench) -> Section:
    """Run a section. One that fails does not take the others' figures with it."""
    try:
        run: Callable[[Bench], Section] = import_module(f"bench.sections.{name}").run
        return run(bench)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        traceback.print_exc()
        return Section(name.capitalize(), void=[f"It failed: {error!r}"[:300]])


if __name__ == "__main__":
    main()
