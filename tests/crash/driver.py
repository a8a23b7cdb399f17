"""The crash test itself: feed, kill, start again, and compare what was taken with what arrived."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from sqlalchemy import func, select

from tests.crash.feeder import Address, Feeder
from tests.crash.receiver import Receiver
from tests.fakes.telegram import FakeTelegram
from tests.making import make_team
from tests.webhook.rows import make_endpoint
from tgm import create_app, database
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.extensions import db, runtime
from tgm.settings import OPTIONS, PROJECT, Settings
from tgm.webhook import receiving
from tgm.webhook.models import OPEN, Delivery, StoredUpdate

_BASE = "https://tgm.example.com"
_BOTS = 3
_START_SECONDS = 30
_UP_SECONDS = (0.4, 1.4)


@dataclass
class Counts:
    """What happened. `taken` updates got their 200; `delivered` counts each of them once."""

    kills: int = 0
    fewest_in_flight: int = 1_000_000
    seconds_up: float = 0
    posts: int = 0
    unanswered: int = 0
    refused: int = 0
    taken: int = 0
    per_second: float = 0
    stored: int = 0
    delivered: int = 0
    repeats: int = 0
    lost: int = 0
    out_of_order: int = 0
    still_open: int = 0

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and every chat is in order."""
        return self.taken > 0 and not (self.lost or self.out_of_order or self.still_open)

    def __str__(self) -> str:
        return "\n".join(
            f"{name.replace('_', ' '):>18}  {round(value, 1):>9}"
            for name, value in asdict(self).items()
        )


class Server:
    """`python -m tgm serve`, on the same port each time."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self._environ = environ
        self._log = folder / "serve.log"
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "tgm", "serve"],
                cwd=PROJECT,
                env=self._environ,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._popen.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", int(self._environ["PORT"])), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"it does not serve: {self._log.read_text()[-3000:]}")

    def end(self, number: signal.Signals) -> None:
        """Send it a signal, and wait until it is gone."""
        if self._popen is not None:
            self._popen.send_signal(number)
            self._popen.wait(60)
            self._popen = None


def run(folder: Path, *, kills: int, rate: float = 400, drain_seconds: float = 600) -> Counts:
    """Run the whole test in an empty folder, and return the counts."""
    receiver, counts = Receiver(), Counts()
    with FakeTelegram() as telegram:
        environ = _environ(folder, telegram)
        addresses = _set_up(environ, telegram, receiver.url)
        server = Server(environ, folder)
        feeder = Feeder(int(environ["PORT"]), addresses, rate)
        try:
            server.start()
            feeder.start()
            for _ in range(kills):
                _live_and_die(server, receiver, counts)
                server.start()
            feeder.stop()
            _wait_for_the_rest(receiver, feeder, drain_seconds)
        finally:
            server.end(signal.SIGTERM)
            receiver.close()
    _compare(counts, feeder, receiver)
    _count_rows(counts, environ)
    return counts


def _environ(folder: Path, telegram: FakeTelegram) -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        # An empty value hides what a developer's `.env` may say.
        **{option.name: "" for option in OPTIONS},
        "INSTANCE_PATH": str(folder / "instance"),
        "TELEGRAM_API_BASE_URL": telegram.url,
        "PORT": str(port),
        "WEBHOOK_BASE_URL": _BASE,
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "LOG_LEVEL": "WARNING",
    }


def _set_up(environ: dict[str, str], telegram: FakeTelegram, url: str) -> list[Address]:
    """Make the bots, each with an endpoint, and return where Telegram posts their updates."""
    app = create_app(Settings.load(environ, dotenv=None))
    database.migrate(app)
    with app.app_context():
        team = make_team("Toko")
        for number in range(_BOTS):
            token = f"{700_000_000 + number}:AAcrashTestsTokenOfTheFakeTelegram"
            telegram.add_bot(token, f"Bot {number}", f"tgm_crash_{number}_bot")
            bot = bots.add(team, token, None, COMMAND_LINE)
            make_endpoint(bot.id, url=url)
            receiving.switch_on(team, bot.id, actor=COMMAND_LINE)
        runtime.telegram.close()
    database.close(app)
    asked = [json.loads(call.body) for call in telegram.calls("setWebhook")]
    return [Address(each["url"].removeprefix(_BASE), each["secret_token"]) for each in asked]


def _live_and_die(server: Server, receiver: Receiver, counts: Counts) -> None:
    began = time.monotonic()
    time.sleep(random.uniform(*_UP_SECONDS))
    # A kill while nothing is on its way would show little.
    while receiver.in_flight == 0 and time.monotonic() < began + _START_SECONDS:
        time.sleep(0.001)
    counts.fewest_in_flight = min(counts.fewest_in_flight, receiver.in_flight)
    server.end(signal.SIGKILL)
    counts.seconds_up += time.monotonic() - began
    counts.kills += 1


def _wait_for_the_rest(receiver: Receiver, feeder: Feeder, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not feeder.accepted <= receiver.first_seen():
        time.sleep(0.5)
    # The last ones' outcome is still to be written.
    while receiver.in_flight and time.monotonic() < until:
        time.sleep(0.1)


def _compare(counts: Counts, feeder: Feeder, receiver: Receiver) -> None:
    arrived = receiver.first_seen()
    counts.posts, counts.unanswered = feeder.posts, feeder.unanswered
    counts.refused, counts.taken = feeder.refused, len(feeder.accepted)
    counts.per_second = counts.taken / max(0.001, counts.seconds_up)
    counts.delivered = len(feeder.accepted & arrived)
    counts.lost = len(feeder.accepted - arrived)
    counts.repeats = receiver.count - len(arrived)
    for numbers in receiver.seen.values():
        firsts = list(dict.fromkeys(numbers))
        counts.out_of_order += sum(a > b for a, b in pairwise(firsts))


def _count_rows(counts: Counts, environ: dict[str, str]) -> None:
    app = create_app(Settings.load(environ, dotenv=None))
    with app.app_context():
        counts.stored = db.session.scalar(select(func.count(StoredUpdate.seq))) or 0
        still_open = select(func.count(Delivery.seq)).where(Delivery.state.in_(OPEN))
        counts.still_open = db.session.scalar(still_open) or 0
    database.close(app)
