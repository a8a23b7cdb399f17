"""TGM as somebody would install it: bots and a key made by commands, then served."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree, rmtree

from flask import Flask

from bench.processes import Program, free_port, running
from bench.upstream import PLAIN_TOKEN, SLOW_TOKEN
from tgm import create_app, database
from tgm.settings import PROJECT, Settings

PER_MINUTE = 1_000_000
EMAIL, PASSWORD = "ani@example.com", "a long enough password 42"


@dataclass(frozen=True)
class Installation:
    """An instance folder with an owner, two bots and a key. `plain` and `slow` are bots' ids."""

    folder: Path
    telegram_url: str
    plain: str
    slow: str
    key: str

    @property
    def environ(self) -> dict[str, str]:
        """The settings; all others have their defaults."""
        return _environ(self.folder, self.telegram_url)

    @property
    def headers(self) -> dict[str, str]:
        """What a caller sends."""
        return {"X-API-Key": self.key}

    def copied(self, folder: Path) -> "Installation":
        """Return a copy of it, which nobody may have served so far. What is in `folder` goes."""
        rmtree(folder, ignore_errors=True)
        copytree(self.folder, folder)
        return replace(self, folder=folder)

    def path(self, *, slow: bool = False, method: str = "sendMessage") -> str:
        """Return the path of a call through a gateway."""
        return f"/api/v1/bots/{self.slow if slow else self.plain}/{method}"

    def direct(self, *, slow: bool = False, method: str = "sendMessage") -> str:
        """Return the path of the same call made to Telegram itself."""
        return f"/bot{SLOW_TOKEN if slow else PLAIN_TOKEN}/{method}"


def install(folder: Path, telegram_url: str) -> Installation:
    """Make an installation by TGM's own commands."""
    folder.mkdir(parents=True)
    environ = _environ(folder, telegram_url)
    command(
        environ, "user", "add", EMAIL, "--role", "owner", "--password-stdin", "--team", "Warung",
        stdin=PASSWORD,
    )  # fmt: skip
    plain = command(environ, "bot", "add", "--token-stdin", "--name", "Plain", stdin=PLAIN_TOKEN)
    slow = command(environ, "bot", "add", "--token-stdin", "--name", "Slow", stdin=SLOW_TOKEN)
    key = command(environ, "key", "add", "Bench", "--per-minute", str(PER_MINUTE))
    return Installation(folder, telegram_url, plain["id"], slow["id"], key["key"])


def command(environ: Mapping[str, str], *words: str, stdin: str = "") -> dict[str, str]:
    """Run one of TGM's commands and return what it answers."""
    done = subprocess.run(
        [sys.executable, "-m", "tgm", "--json", *words],
        cwd=PROJECT,
        env=dict(environ),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise RuntimeError(f"tgm {' '.join(words)}: {done.stderr}")
    facts: dict[str, str] = json.loads(done.stdout)
    return facts


@contextmanager
def application(installation: Installation) -> Iterator[Flask]:
    """Work in an installation's application, in this process, while nobody serves it."""
    app = create_app(Settings.load(installation.environ, dotenv=None))
    database.migrate(app)
    try:
        with app.app_context():
            yield app
    finally:
        database.close(app)


def takes(option: str) -> bool:
    """Return whether `serve` knows an option."""
    done = subprocess.run(
        [sys.executable, "-m", "tgm", "serve", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return option in done.stdout


@contextmanager
def served(
    installation: Installation,
    on: Sequence[int],
    *words: str,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """Run `python -m tgm serve` with `words`, and further settings in `environ`."""
    port = free_port()
    given = {**installation.environ, "PORT": str(port), **(environ or {})}
    with running(
        [sys.executable, "-m", "tgm", "serve", *words],
        port,
        log=installation.folder / "serve.log",
        on=on,
        environ=given,
    ) as program:
        yield program


def _environ(folder: Path, telegram_url: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "INSTANCE_PATH": str(folder),
        "TELEGRAM_API_BASE_URL": telegram_url,
        "RATE_LIMIT_PER_MINUTE": str(PER_MINUTE),
    }
