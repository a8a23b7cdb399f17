"""Starting, being idle, and having a lot in the database."""

import json
import random
import time
import urllib.request
from collections import defaultdict
from contextlib import ExitStack

from ulid import ULID

from bench import filling, lineup
from bench.installation import Installation, application, served
from bench.lineup import FLASK, ONE, TWO, Gateway
from bench.load import Load, wrk
from bench.report import Figure, Goal, Row, Section, at_most
from bench.run import Bench
from bench.upstream import BODY
from tests.webhook.rows import make_endpoint
from tgm.auth import service as people
from tgm.keys import service as keys
from tgm.shared.clock import utcnow

_ROWS = 1_000_000
# A month of rows is not to be purged while others are measured.
_KEPT = {"REQUEST_LOG_DAYS": "90", "UPDATE_RETENTION_DAYS": "90", "UPDATE_RETENTION_GB": "100"}
_IDLE_SECONDS = 3
_TOLERATED = 0.05
_CALLERS = 16
EMPTY, FILLED = "an empty database", f"{_ROWS:,} calls and {_ROWS:,} updates"

Figures = dict[str, dict[str, list[float]]]


def run(bench: Bench) -> Section:
    """Measure starts and memory; in a full run also an installation that is full."""
    section = Section("Start, memory, a full database")
    _starts(bench, section)
    _memory(bench, section)
    if not bench.is_quick:
        _filled(bench, section)
    return section


def _starts(bench: Bench, section: Section) -> None:
    """Time from the start of the process until a call through it has been answered."""
    own, bare = [], []
    for _ in range(bench.repeats):
        own.append(_start(bench, bench.installation))
        with lineup.peers(bench, [FLASK]) as programs:
            bare.append(programs[FLASK].program.started_after)
    figure, flask = Figure(tuple(own), "s"), Figure(tuple(bare), "s")
    section.rows += [
        Row(f"{FLASK}, start to serving", flask),
        Row(
            f"{ONE}, start to the first call's answer",
            figure,
            {FLASK: figure.median / flask.median},
            at_most(figure.median, 0.6, "s"),
        ),
    ]


def _start(bench: Bench, made: Installation) -> float:
    with served(made, bench.cores.gateway, environ=_KEPT) as program:
        began = time.monotonic()
        _call(Gateway(program, made))
        return program.started_after + time.monotonic() - began


def _call(gateway: Gateway) -> None:
    request = urllib.request.Request(  # noqa: S310 - an address of our own
        gateway.url(),
        data=BODY.encode(),
        headers={"Content-Type": "application/json", **gateway.made.headers},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert json.load(answer)["ok"]


def _memory(bench: Bench, section: Section) -> None:
    with ExitStack() as stack:
        gateways = {
            **stack.enter_context(lineup.peers(bench, [FLASK])),
            **lineup.tgm(bench, stack),
        }
        for gateway in gateways.values():
            _call(gateway)
        time.sleep(_IDLE_SECONDS)
        idle = {name: gateway.program.memory() for name, gateway in gateways.items()}
    for name, memory in idle.items():
        ratios = {} if name == FLASK else {FLASK: memory / idle[FLASK]}
        goal = at_most(memory, 85, "MiB") if name == ONE else None
        note = "every process, shared pages counted in each" if name == TWO else ""
        row = Row(f"{name}, idle memory", Figure((memory,), "MiB"), ratios, goal, note)
        section.rows.append(row)


def _filled(bench: Bench, section: Section) -> None:
    """Compare an installation with a month of work in it with one without."""
    full = bench.fresh("full")
    _fill(full)
    installations = {EMPTY: bench.fresh("empty"), FILLED: full}
    found: Figures = {name: defaultdict(list) for name in installations}
    for _ in range(bench.repeats):
        for name, made in installations.items():
            found[name]["start, s"].append(_start(bench, made))
    with ExitStack() as stack:
        gateways = {
            name: Gateway(
                stack.enter_context(served(made, bench.cores.gateway, environ=_KEPT)), made
            )
            for name, made in installations.items()
        }
        for number in range(-1, bench.repeats):
            for name, gateway in gateways.items():
                _note(bench, gateway, found[name] if number >= 0 else defaultdict(list))
    for what, values in found[EMPTY].items():
        section.rows += _compared(what, Figure(tuple(values), ""), found[FILLED][what])


def _note(bench: Bench, gateway: Gateway, into: dict[str, list[float]]) -> None:
    before = gateway.program.processor_seconds()
    plain = _load(bench, gateway, slow=False)
    busy = gateway.program.processor_seconds() - before
    slow = _load(bench, gateway, slow=True)
    into["throughput, calls/s"].append(plain.per_second)
    into["processor per call, µs"].append(busy / max(plain.calls, 1) * 1e6)
    into["median at 50 ms, ms"].append(slow.median)
    into["p99 at 50 ms, ms"].append(slow.p99)
    into["memory, MiB"].append(gateway.program.memory())


def _load(bench: Bench, gateway: Gateway, *, slow: bool) -> Load:
    return wrk(
        gateway.url(slow=slow),
        callers=_CALLERS,
        seconds=bench.seconds,
        on=bench.cores.load,
        headers=gateway.made.headers,
        body=BODY,
    )


def _compared(what: str, empty: Figure, values: list[float]) -> list[Row]:
    words, _, unit = what.partition(", ")
    bare, full = Figure(empty.values, unit), Figure(tuple(values), unit)
    ratio = full.median / bare.median
    is_met = ratio >= 1 - _TOLERATED if "throughput" in what else ratio <= 1 + _TOLERATED
    return [
        Row(f"{words}, {EMPTY}", bare),
        Row(f"{words}, {FILLED}", full, {EMPTY: ratio}, Goal("within 5 %", is_met)),
    ]


def _fill(made: Installation) -> None:
    chance, now = random.Random(7), utcnow()
    with application(made):
        team = people.only_team().id
        bots = [ULID.from_str(made.plain), ULID.from_str(made.slow)]
        by = [key.id for key in keys.of_team(team)]
        filling.log_calls(chance, team, bots, by, now, _ROWS)
        endpoints = [(bot, make_endpoint(bot, "Shop").id) for bot in bots]
        filling.relay(chance, endpoints, now, _ROWS)
