"""How many calls go through with 16 callers, no delay at Telegram, and each peer in turn."""

from collections import defaultdict
from contextlib import ExitStack

from bench import lineup
from bench.lineup import ONE, TWO, Gateway
from bench.load import Load, wrk
from bench.report import Figure, Row, Section, at_least
from bench.run import Bench
from bench.upstream import BODY

CALLERS = 16
_FEW = (1, 4)  # FastAPI with httpx does worse the more callers there are


class Measured:
    """What each contestant did, load after load."""

    def __init__(self) -> None:
        self.rates: dict[str, list[float]] = defaultdict(list)
        self.busy: dict[str, list[float]] = defaultdict(list)
        self.failures: dict[str, int] = defaultdict(int)

    def add(self, name: str, load: Load, seconds: float) -> None:
        """Note a load, and how long processors were busy with it."""
        self.rates[name].append(load.per_second)
        self.busy[name].append(seconds / max(load.calls, 1) * 1e6)
        self.failures[name] += load.failures

    def rate(self, name: str) -> Figure:
        """Calls per second."""
        return Figure(tuple(self.rates[name]), "calls/s")

    def note(self, name: str) -> str:
        """What a call cost the processor, and what went wrong."""
        busy = f"{Figure(tuple(self.busy[name]), 'µs').median:.0f} µs of processor per call"
        return f"{busy}; {self.failures[name]} failed" if self.failures[name] else busy


def run(bench: Bench) -> Section:
    """Measure all of them in turns."""
    measured = Measured()
    with ExitStack() as stack:
        gateways = stack.enter_context(lineup.peers(bench)) | lineup.tgm(bench, stack)
        lineup.warm(bench, gateways.values())
        for _ in range(bench.repeats):
            for name, gateway in gateways.items():
                _load(bench, measured, name, gateway)
    return _section(measured)


def _load(bench: Bench, measured: Measured, name: str, gateway: Gateway) -> None:
    few = _FEW if name == lineup.FASTAPI and not bench.is_quick else ()
    for callers in (*few, CALLERS):
        before = gateway.program.processor_seconds()
        load = wrk(
            gateway.url(),
            callers=callers,
            seconds=bench.seconds,
            on=bench.cores.load,
            headers=gateway.made.headers,
            body=BODY,
        )
        words = name if callers == CALLERS else f"{name}, callers: {callers}"
        measured.add(words, load, gateway.program.processor_seconds() - before)


def _section(measured: Measured) -> Section:
    rates = {name: measured.rate(name) for name in measured.rates}
    flask = rates[lineup.FLASK].median
    rows = []
    for name, figure in rates.items():
        ratios = {} if name == lineup.FLASK else {lineup.FLASK: figure.median / flask}
        goal = None
        if name in (ONE, TWO):
            for other in (lineup.AIOHTTP, lineup.NODE):
                ratios[other] = figure.median / rates[other].median
        if name == ONE:
            goal = at_least(ratios[lineup.FLASK], 0.7, f"of the {lineup.FLASK}")
        rows.append(Row(name, figure, ratios, goal, measured.note(name)))
    rows += _further(rates)
    failed = [f"{name}: {count} failed" for name, count in measured.failures.items() if count]
    return Section(
        f"Throughput, {CALLERS} callers, no delay",
        rows,
        void=lineup.fallen({name: figure.median for name, figure in rates.items()}) + failed,
    )


def _further(rates: dict[str, Figure]) -> list[Row]:
    """Return the goals that compare one contestant with another, load by load."""
    pairs = [(ONE, lineup.AIOHTTP, 1.0)]
    if TWO in rates:
        pairs += [(TWO, lineup.NODE, 0.75), (TWO, ONE, 1.4)]
    rows = []
    for name, other, wanted in pairs:
        ratios = zip(rates[name].values, rates[other].values, strict=True)
        figure = Figure(tuple(one / two for one, two in ratios), "times")
        rows.append(
            Row(f"{name} ÷ {other}", figure, goal=at_least(figure.median, wanted, f"of {other}"))
        )
    return rows
