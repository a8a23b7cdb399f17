"""Taking updates in, on disk before the answer, and delivering them signed, recorded, in order."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import visitors
from bench.feeding import HEADERS, INTAKE, SETTINGS, Receiver, feed, numbers, prepare, receivers
from bench.installation import served
from bench.lineup import FLASK, peers
from bench.load import Load, wrk
from bench.processes import Program
from bench.report import Figure, Goal, Row, Section, at_least, at_most
from bench.run import Bench

UPDATES = Path(__file__).parent.parent / "updates.lua"
CALLERS = 32
_STEADY = 300  # updates per second
_IDLE = 10
_PATIENCE_SECONDS = 60
_SETTLE_SECONDS = 0.5
# A live page of the calls, and one of the deliveries; the home page is open beside them.
_LOOKERS = 2
INTAKE_ROW, STEADY_ROW, IDLE_ROW = "intake", "steady", "idle"

Found = dict[str, list[float]]


def run(bench: Bench) -> Section:
    """Measure the parts one after the other, each alone and watched in turns."""
    section = Section("The relay")
    section.rows += _intake(bench, section)
    section.rows += _deliveries(bench)
    section.rows += _latency(bench, section)
    return section


def _intake(bench: Bench, section: Section) -> list[Row]:
    """Take updates in as fast as they come, for an endpoint that is paused."""
    made = bench.fresh("relay-intake")
    who = visitors.make(made, 0)
    prepare(made, ["http://127.0.0.1:9/hook"], is_paused=True)
    found: dict[str, list[Load]] = defaultdict(list)
    with ExitStack() as stack:
        empty = stack.enter_context(peers(bench, [FLASK]))[FLASK].program
        program = stack.enter_context(served(made, bench.cores.gateway, environ=SETTINGS))
        signed_in = visitors.cookies(program.url, who)
        _load(bench, program, seconds=1)
        spent = []
        for _ in range(bench.repeats):
            found[FLASK].append(_load(bench, empty))
            before = program.processor_seconds()
            load = _load(bench, program)
            spent.append((program.processor_seconds() - before) / load.calls * 1e6)
            found[INTAKE_ROW].append(load)
            with _watched(program, who, signed_in):
                found["watched"].append(_load(bench, program))
    if failures := sum(load.failures for loads in found.values() for load in loads):
        section.void.append(f"{failures} updates were not taken in")
    rates = {name: Figure(_rates(loads), "updates/s") for name, loads in found.items()}
    own, flask = rates[INTAKE_ROW], rates[FLASK]
    share = own.median / flask.median
    return [
        Row(f"{FLASK}, the same requests", flask),
        Row("taken in, 32 connections", own, goal=at_least(own.median, 2500, "updates/s")),
        Row("the same, beside an empty Flask view", own, {FLASK: share}, at_least(share, 0.5, "")),
        Row("processor per update", Figure(tuple(spent), "µs")),
        _unchanged("taken in while watched", rates["watched"], own, is_rate=True),
    ]


def _deliveries(bench: Bench) -> list[Row]:
    """Deliver what waits, from the start of the process."""
    waiting = 3_000 if bench.is_quick else 10_000
    rates, spent = [], []
    for number in range(_repeats(bench)):
        name = f"relay-deliveries-{number}"
        made = bench.fresh(name)
        with receivers(bench, name, "answers") as (receiver,):
            prepare(made, [receiver.url], waiting=waiting)
            with served(made, bench.cores.gateway, environ=SETTINGS) as program:
                before = program.processor_seconds()
                seen = receiver.wait_for(waiting, _PATIENCE_SECONDS)
                spent.append((program.processor_seconds() - before) / len(seen) * 1e6)
        rates.append((len(seen) - 1) / (seen[-1][0] - seen[0][0]))
    own = Figure(tuple(rates), "deliveries/s")
    return [
        Row("delivered, 200 chats", own, goal=at_least(own.median, 1000, "deliveries/s")),
        Row("processor per delivery", Figure(tuple(spent), "µs")),
    ]


def _latency(bench: Bench, section: Section) -> list[Row]:
    """Post at a set pace, and see when the first byte arrives at the endpoint that is well."""
    found: Found = defaultdict(list)
    with receivers(bench, "relay-idle", "answers") as (receiver,):
        _pace(bench, "relay-idle", [receiver], _IDLE, IDLE_ROW, found, section)
    with receivers(bench, "relay-steady", "answers", "fails", "hangs") as all_of_them:
        _pace(bench, "relay-steady", all_of_them, _STEADY, STEADY_ROW, found, section)
    figures = {name: Figure(tuple(values), "ms") for name, values in found.items()}
    idle, steady = figures[f"{IDLE_ROW} median"], figures[f"{STEADY_ROW} p99"]
    ill = f"{_STEADY}/s, one endpoint failing, one hanging"
    return [
        Row("intake to first byte, idle, median", idle, goal=at_most(idle.median, 20, "ms")),
        _unchanged("the same while watched", figures[f"{IDLE_ROW} median watched"], idle),
        Row(f"median at {ill}", figures[f"{STEADY_ROW} median"]),
        Row(f"p99 at {ill}", steady, goal=at_most(steady.median, 100, "ms")),
        _unchanged("the same p99 while watched", figures[f"{STEADY_ROW} p99 watched"], steady),
    ]


def _pace(
    bench: Bench,
    name: str,
    to: list[Receiver],
    per_second: float,
    row: str,
    found: Found,
    section: Section,
) -> None:
    made = bench.fresh(name)
    who = visitors.make(made, 0)
    prepare(made, [receiver.url for receiver in to])
    seconds = 2 * bench.seconds
    with served(made, bench.cores.gateway, environ=SETTINGS) as program:
        signed_in = visitors.cookies(program.url, who)
        feed(program.port, per_second=per_second, seconds=1)
        for _ in range(_repeats(bench)):
            _note(
                feed(program.port, per_second=per_second, seconds=seconds),
                to[0],
                row,
                "",
                found,
                section,
            )
            with _watched(program, who, signed_in):
                sent = feed(program.port, per_second=per_second, seconds=seconds)
                _note(sent, to[0], row, " watched", found, section)


def _repeats(bench: Bench) -> int:
    """Return how often to take what takes long."""
    return 1 if bench.is_quick else bench.repeats


def _note(
    sent: Mapping[int, float], to: Receiver, row: str, how: str, found: Found, section: Section
) -> None:
    time.sleep(_SETTLE_SECONDS)
    arrived: dict[int, float] = {}
    for at, number in to.seen():
        arrived.setdefault(number, at)
    if missing := [number for number in sent if number not in arrived]:
        section.void.append(f"{len(missing)} of {len(sent)} updates had not arrived ({row}{how})")
    waits = sorted(
        (arrived[number] - at) * 1000 for number, at in sent.items() if number in arrived
    )
    found[f"{row} median{how}"].append(waits[len(waits) // 2])
    found[f"{row} p99{how}"].append(waits[len(waits) * 99 // 100])


@contextmanager
def _watched(program: Program, who: visitors.Visitors, signed_in: list[str]) -> Iterator[None]:
    with (
        visitors.present(program.url, who, signed_in, _LOOKERS),
        visitors.at_home(program.url, signed_in[0]),
    ):
        time.sleep(_SETTLE_SECONDS)
        yield


def _load(bench: Bench, program: Program, seconds: int | None = None) -> Load:
    return wrk(
        program.url + INTAKE,
        callers=CALLERS,
        seconds=seconds or bench.seconds,
        on=bench.cores.load,
        headers=HEADERS,
        body=str(next(numbers)),
        script=UPDATES,
    )


def _rates(loads: list[Load]) -> tuple[float, ...]:
    return tuple(load.per_second for load in loads)


def _unchanged(name: str, own: Figure, alone: Figure, *, is_rate: bool = False) -> Row:
    """Return the row of a figure that should be no more than 5 % worse than alone."""
    ratio = own.median / alone.median
    is_met = ratio >= 0.95 if is_rate else ratio <= 1.05
    words = "≥ 0.95 of unwatched" if is_rate else "≤ 1.05 of unwatched"
    return Row(name, own, {"unwatched": ratio}, Goal(words, is_met))
