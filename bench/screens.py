"""How long the server takes for each screen, with a month of work in SQLite.

    python -m bench.screens [--calls N] [--deliveries N] [--times N] [--keep FOLDER]

Prints a table and writes it to instance/bench/screens.md. Ends with 1 where a screen's median is
over 50 ms.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

from flask import Flask
from flask.testing import FlaskClient

from bench.filling import fill
from tests.browser.screens import screens
from tests.browsing import sign_in
from tests.fakes.telegram import FakeTelegram
from tests.making import PASSWORD
from tgm import create_app, database
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service
from tgm.extensions import runtime
from tgm.settings import PROJECT, Settings
from tgm.shared.clock import utcnow

ALLOWED = 50.0
REPORT = PROJECT / "instance" / "bench" / "screens.md"
OWNER = "ani@example.com"
_WARM_UP = 3


@dataclass(frozen=True)
class Timing:
    """What one screen took, in milliseconds, and how much it weighs.

    `busy` is the median of the processor's time alone: on a machine with other work the rest is
    waiting for its turn.
    """

    name: str
    median: float
    slowest: float
    busy: float
    kilobytes: float

    @property
    def is_over(self) -> bool:
        """Whether it takes too long."""
        return self.median > ALLOWED

    def line(self) -> str:
        """Return it as a line of the table."""
        over = " **over**" if self.is_over else ""
        return (
            f"| `{self.name}` | {self.median:.1f}{over} | {self.slowest:.1f} "
            f"| {self.busy:.1f} | {self.kilobytes:.0f} |"
        )


def addresses(app: Flask, values: Mapping[str, str]) -> dict[str, str]:
    """Return each screen's address by what the table calls it; later pages and spans too."""
    found = [address for address in screens(app, values) if not address.endswith("/replays/")] + [
        "/dashboard/requests?before=500000",
        "/dashboard/deliveries?before=50000",
        *(f"/dashboard/?span={span}" for span in ("1h", "24h", "7d", "30d")),
    ]
    return _named(found, values)


def searches(values: Mapping[str, str]) -> dict[str, str]:
    """Return what people look for in the lists, and some of what is not there."""
    bot, key = values["bot_id"], values["key_id"]
    requests = (
        f"bot={bot}",
        f"key={key}&status=4",
        f"bot={bot}&status=5",
        "status=504",
        "method=sendDocument",
        "method=banChatMember",
    )
    deliveries = (
        f"bot={bot}",
        "state=dead",
        "state=due",
        "kind=callback_query",
        "kind=poll",
        "chat=500000007",
        "chat=1",
        "q=1050123",
        "q=nothing-like-this",
    )
    found = [f"/dashboard/requests?{query}" for query in requests]
    found += [f"/dashboard/deliveries?{query}" for query in deliveries]
    return _named(found, values)


def _named(found: list[str], values: Mapping[str, str]) -> dict[str, str]:
    named = {}
    for address in found:
        name = address
        for argument, value in values.items():
            if len(value) > 1:
                name = name.replace(value, f"<{argument}>")
        named[name] = address
    return named


def measure(client: FlaskClient, name: str, address: str, times: int) -> Timing:
    """Ask for a screen again and again, as its reader would who has the assets already."""
    took, busy = [], []
    for number in range(_WARM_UP + times):
        before, idle = time.perf_counter(), time.thread_time()
        answer = client.get(address)
        after, worked = time.perf_counter(), time.thread_time()
        assert answer.status_code == 200, f"{address} answers {answer.status}"
        if number >= _WARM_UP:
            took.append((after - before) * 1000)
            busy.append((worked - idle) * 1000)
    return Timing(name, median(took), max(took), median(busy), len(answer.data) / 1024)


@contextmanager
def application(folder: Path, telegram: FakeTelegram) -> Iterator[Flask]:
    """Make an application with a database of its own."""
    given = {"INSTANCE_PATH": str(folder), "TELEGRAM_API_BASE_URL": telegram.url, "PORT": "0"}
    app = create_app(Settings.load(given, dotenv=None))
    database.migrate(app)
    try:
        yield app
    finally:
        with app.app_context():
            runtime.telegram.close()
        database.close(app)


def filled(
    app: Flask, known: Path, telegram: FakeTelegram, given: argparse.Namespace
) -> dict[str, str]:
    """Fill the database, unless an earlier run has, and return what addresses call its rows."""
    if known.exists():
        # A replay lives in the memory of the process that began it.
        return {**json.loads(known.read_text()), "replay_id": ""}
    with app.app_context():
        owner = service.set_up(OWNER, PASSWORD, "Toko Ani", COMMAND_LINE)
        stock = fill(owner, telegram, utcnow(), given.calls, given.deliveries)
    known.write_text(json.dumps(stock.values))
    return stock.values


def table(timings: list[Timing]) -> str:
    """Return the timings as a table, and which of them are over."""
    over = [timing.name for timing in timings if timing.is_over]
    head = "| Address | Median | Slowest | Processor | KB of HTML |\n|---|--:|--:|--:|--:|\n"
    lines = "\n".join(timing.line() for timing in timings)
    said = f"Over {ALLOWED:.0f} ms: {', '.join(over)}." if over else f"None over {ALLOWED:.0f} ms."
    return f"{head}{lines}\n\n{said}\n"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.screens")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument(
        "--keep",
        type=Path,
        help="leave the database in this folder, and take it from there the next time",
    )
    parser.add_argument("--only", default="", help="only the screens whose name holds this")
    return parser.parse_args()


def main() -> int:
    """Fill a database, measure every screen, and report."""
    given = arguments()
    folder = given.keep or Path(mkdtemp(prefix="tgm-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FakeTelegram() as telegram, application(folder, telegram) as app:
            began = time.monotonic()
            values = filled(app, folder / "stock.json", telegram, given)
            print(f"Filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
            client = app.test_client()
            assert sign_in(client, OWNER, PASSWORD).status_code == 303
            timings, looked_for = (
                [
                    measure(client, name, address, given.times)
                    for name, address in wanted.items()
                    if given.only in name
                ]
                for wanted in (addresses(app, values), searches(values))
            )
    finally:
        if given.keep is None:
            shutil.rmtree(folder)
    report = (
        f"{given.deliveries:,} deliveries and {given.calls:,} calls in SQLite; "
        f"{given.times} times each, in milliseconds.\n\n"
        f"{table(timings)}\nSearches:\n\n{table(looked_for)}"
    )
    print(report)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(report)
    return int(any(timing.is_over for timing in timings))


if __name__ == "__main__":
    sys.exit(main())
