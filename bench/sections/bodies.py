"""Files of 50 MB: what eight at once keep in memory, and how long uploads take beside nginx."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench import lineup
from bench.lineup import NGINX, ONE, Gateway
from bench.report import Figure, Row, Section, at_most
from bench.run import Bench
from bench.uploading import at_once, download, upload

_AT_ONCE = 8
# Long enough for all of them to be behind together.
_PAUSE_SECONDS = 1.0

Times = dict[str, list[float]]


def run(bench: Bench) -> Section:
    """Send and fetch files through TGM and through nginx, in turns."""
    section = Section("Files of 50 MB")
    memory: Times = defaultdict(list)
    with ExitStack() as stack:
        gateways = {
            **stack.enter_context(lineup.peers(bench, [NGINX])),
            ONE: lineup.tgm(bench, stack, only_one=True)[ONE],
        }
        for number in (_AT_ONCE,) if bench.is_quick else (1, _AT_ONCE):
            times: Times = defaultdict(list)
            for _ in range(bench.repeats):
                for name, gateway in gateways.items():
                    extra, seconds = _grown(gateway, number, _sending(bench, gateway))
                    times[name].append(seconds)
                    if name == ONE:
                        memory[f"uploading {number} at once"].append(extra)
            section.rows += _times(number, times)
        for _ in range(bench.repeats):
            extra, _ = _grown(gateways[ONE], _AT_ONCE, _fetching(gateways[ONE]))
            memory[f"downloading {_AT_ONCE} at once"].append(extra)
    for words, values in memory.items():
        figure = Figure(tuple(values), "MiB each")
        goal = at_most(figure.median, 1 if words.startswith("up") else 2, "MiB each")
        section.rows.append(Row(f"memory, {words}", figure, goal=goal))
    section.notes.append(
        "nginx keeps each upload on disk before it passes it on. Memory: the peak less what was"
        " in use before, for each file. Downloads stop for"
        f" {_PAUSE_SECONDS:g} s after their first part."
    )
    return section


def _sending(bench: Bench, gateway: Gateway) -> Callable[[], None]:
    document = bench.folder / "files" / "document.bin"
    url = gateway.url(method="sendDocument")
    return partial(upload, url, gateway.made.headers, document)


def _fetching(gateway: Gateway) -> Callable[[], None]:
    url = gateway.url(method="file/document.bin")
    return partial(download, url, gateway.made.headers, _PAUSE_SECONDS)


def _grown(gateway: Gateway, number: int, work: Callable[[], None]) -> tuple[float, float]:
    """Return by how many MiB for each file the program grew, and how many seconds it took."""
    program = gateway.program
    program.forget_peak()
    before = program.memory()
    seconds = at_once(number, work)
    return max(0.0, program.memory("VmHWM") - before) / number, seconds


def _times(number: int, times: Times) -> list[Row]:
    words = "one upload" if number == 1 else f"{number} uploads at once"
    bare, own = Figure(tuple(times[NGINX]), "s"), Figure(tuple(times[ONE]), "s")
    ratio = own.median / bare.median
    return [
        Row(f"{NGINX}, {words}", bare),
        Row(f"{ONE}, {words}", own, {NGINX: ratio}, at_most(ratio, 2.5, f"of {NGINX}")),
    ]
