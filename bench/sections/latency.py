"""What a gateway adds to a call's time, and how many callers it carries at Telegram's pace."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack

from bench import crowd, lineup
from bench.crowd import crowd as gather
from bench.lineup import ONE, TWO, Gateway
from bench.load import Load, wrk
from bench.report import Figure, Goal, Row, Section, at_least, at_most
from bench.run import Bench
from bench.upstream import BODY

DIRECT = "direct"
_FEW = (16, 32)
_MANY = {100: {ONE: 0.95}, 500: {ONE: 0.25, TWO: 0.4}}
_CROWD = 2000

Loads = dict[str, list[Load]]


def run(bench: Bench) -> Section:
    """Call through the gateways and directly, in turns."""
    section = Section("Latency")
    with ExitStack() as stack:
        gateways = lineup.tgm(bench, stack, only_one=bench.is_quick)
        lineup.warm(bench, gateways.values())
        own = {ONE: gateways[ONE]}
        section.rows += _added("idle, no delay", _loads(bench, own, 1, slow=False), 0.5, None)
        for callers in _FEW[1:] if bench.is_quick else _FEW:
            loads = _loads(bench, own, callers, slow=True)
            section.rows += _added(f"{callers} callers, 50 ms", loads, 1.5, 8)
        for callers, wanted in _MANY.items():
            if bench.is_quick and callers < max(_MANY):
                continue
            section.rows += _shares(callers, _loads(bench, gateways, callers, slow=True), wanted)
        for name, gateway in gateways.items():
            section.rows.append(_crowd(name, gateway))
    section.notes.append(
        "Added: the figure through TGM less that of the same call made directly, just before it."
    )
    return section


def _loads(bench: Bench, gateways: dict[str, Gateway], callers: int, *, slow: bool) -> Loads:
    found: Loads = defaultdict(list)
    direct = bench.telegram.url + bench.installation.direct(slow=slow)
    asked = {name: (one.url(slow=slow), one.made.headers) for name, one in gateways.items()}
    for _ in range(bench.repeats):
        for name, (url, headers) in ({DIRECT: (direct, {})} | asked).items():
            load = wrk(
                url,
                callers=callers,
                seconds=bench.seconds,
                on=bench.cores.load,
                headers=headers,
                body=BODY,
            )
            found[name].append(load)
    return found


def _added(words: str, loads: Loads, median: float, p99: float | None) -> list[Row]:
    rows = []
    for what, wanted in (("median", median), ("p99", p99)):
        own = [getattr(load, what) for load in loads[ONE]]
        bare = [getattr(load, what) for load in loads[DIRECT]]
        added = Figure(tuple(a - b for a, b in zip(own, bare, strict=True)), "ms")
        times = Figure(tuple(own), "ms").median / Figure(tuple(bare), "ms").median
        goal = None if wanted is None else at_most(added.median, wanted, "ms")
        rows.append(
            Row(f"added {what}, {words}", added, {DIRECT: times}, goal, _failed(loads[ONE]))
        )
    return rows


def _shares(callers: int, loads: Loads, wanted: dict[str, float]) -> list[Row]:
    bare = [load.per_second for load in loads[DIRECT]]
    rows = [Row(f"{DIRECT}, {callers} callers, 50 ms", Figure(tuple(bare), "calls/s"))]
    for name, own in loads.items():
        if name == DIRECT:
            continue
        rates = [load.per_second for load in own]
        share = Figure(tuple(a / b for a, b in zip(rates, bare, strict=True)), "times").median
        goal = at_least(share, wanted[name], f"of {DIRECT}") if name in wanted else None
        figure = Figure(tuple(rates), "calls/s")
        words = f"{name}, {callers} callers, 50 ms"
        rows.append(Row(words, figure, {DIRECT: share}, goal, _failed(own)))
    return rows


def _crowd(name: str, gateway: Gateway) -> Row:
    found = gather(gateway.url(slow=True), _CROWD, gateway.made.headers, BODY)
    lost = found.total() - found[crowd.ANSWERED]
    words = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items()))
    return Row(
        f"{name}, {_CROWD:,} connections at once, 50 ms",
        Figure((lost,), "calls lost"),
        goal=Goal("none refused or hung", lost == 0),
        note=words,
    )


def _failed(loads: Sequence[Load]) -> str:
    failures = sum(load.failures for load in loads)
    return f"{failures} failed" if failures else ""
