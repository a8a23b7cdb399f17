"""What 200 idle long polls and 50 live inspectors change for those who call."""

import time
from collections import defaultdict

from bench import visitors
from bench.installation import served
from bench.lineup import Gateway
from bench.load import Load, wrk
from bench.report import Figure, Row, Section, at_most
from bench.run import Bench
from bench.upstream import BODY

POLLS, INSPECTORS = 200, 50
# Their coming is over then: what is measured is that they are there.
_SETTLE_SECONDS = 3.0
# Words, callers, with a delay at Telegram or without.
_LOADS = (("32 callers, 50 ms", 32, True), ("16 callers, no delay", 16, False))

Loads = dict[str, list[Load]]


def run(bench: Bench) -> Section:
    """Measure alone and in company, in turns."""
    made = bench.fresh("company")
    who = visitors.make(made, POLLS)
    alone: Loads = defaultdict(list)
    together: Loads = defaultdict(list)
    ended = 0
    with served(made, bench.cores.gateway) as program:
        gateway, signed_in = Gateway(program, made), visitors.cookies(program.url, who)
        _measure(bench, gateway, defaultdict(list))
        for _ in range(bench.repeats):
            _measure(bench, gateway, alone)
            with visitors.present(program.url, who, signed_in, INSPECTORS) as present:
                time.sleep(_SETTLE_SECONDS)
                _measure(bench, gateway, together)
                ended += present.ended
            time.sleep(_SETTLE_SECONDS)
    section = Section(f"{POLLS} idle long polls and {INSPECTORS} live inspectors open")
    for words in alone:
        section.rows += _rows(words, alone[words], together[words])
    if ended:
        section.void.append(f"{ended} of those who should have stayed were gone before the end")
    return section


def _measure(bench: Bench, gateway: Gateway, into: Loads) -> None:
    for words, callers, slow in _LOADS[:1] if bench.is_quick else _LOADS:
        load = wrk(
            gateway.url(slow=slow),
            callers=callers,
            seconds=bench.seconds,
            on=bench.cores.load,
            headers=gateway.made.headers,
            body=BODY,
        )
        into[words].append(load)


def _rows(words: str, alone: list[Load], together: list[Load]) -> list[Row]:
    bare = Figure(tuple(load.p99 for load in alone), "ms")
    own = Figure(tuple(load.p99 for load in together), "ms")
    ratio = own.median / bare.median
    rates = [sum(load.per_second for load in loads) / len(loads) for loads in (alone, together)]
    return [
        Row(f"p99 alone, {words}", bare, note=f"{rates[0]:,.0f} calls/s"),
        Row(
            f"p99 in company, {words}",
            own,
            {"alone": ratio},
            at_most(ratio, 1.1, "of alone"),
            f"{rates[1]:,.0f} calls/s",
        ),
    ]
