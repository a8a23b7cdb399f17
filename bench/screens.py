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

    def line(self) -> str:
        """Return it as a line of the table."""
        over = " **over**" if self.median > ALLOWED else ""
        return (
            f"| `{self.name}` | {self.median:.1f}{over} | {self.slowest:.1f} "
            f"| {self.busy:.1f} | {self.kilobytes:.0f} |"
        )


def addresses(app: Flask, values: Mapping[str, str]) -> dict[str, str]:
    """Return each screen's address by what the table calls it; searches and later pages too."""
    names = {value: f"<{name}>" for name, value in values.items() if value}
    found = {}
    for address in screens(app, values):
        if address.endswith("/replays/"):
            continue
        name = address
        for value, shown in names.items():
            name = name.replace(value, shown)
        found[name] = address
    bot, key = values["bot_id"], values["key_id"]
    for query in (
        f"requests?bot={bot}",
        f"requests?key={key}&status=4",
        "requests?method=sendDocument",
        "requests?status=504",
        "requests?status=418",
        "requests?method=banChatMember",
        f"requests?bot={bot}&status=5",
        "requests?before=500000",
        f"deliveries?bot={bot}",
        "deliveries?state=dead",
        "deliveries?state=due",
        "deliveries?kind=poll",
        "deliveries?chat=1",
        "deliveries?kind=callback_query",
        "deliveries?chat=500000007",
        "deliveries?q=1050123",
        "deliveries?q=nothing-like-this",
        "deliveries?before=50000",
        *(f"?span={span}" for span in ("1h", "24h", "7d", "30d")),
    ):
        address = f"/dashboard/{query}"
        found[address.replace(bot, "<bot_id>").replace(key, "<key_id>")] = address
    return found


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


def table(timings: list[Timing], given: argparse.Namespace) -> str:
    """Return the report."""
    over = [timing.name for timing in timings if timing.median > ALLOWED]
    head = (
        f"{given.deliveries:,} deliveries and {given.calls:,} calls in SQLite; "
        f"{given.times} times each, in milliseconds.\n\n"
        "| Screen | Median | Slowest | Processor | KB of HTML |\n|---|--:|--:|--:|--:|\n"
    )
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
            timings = [
                measure(client, name, address, given.times)
                for name, address in addresses(app, values).items()
                if given.only in name
            ]
    finally:
        if given.keep is None:
            shutil.rmtree(folder)
    report = table(timings, given)
    print(report)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(report)
    return int(any(timing.median > ALLOWED for timing in timings))


if __name__ == "__main__":
    sys.exit(main())
