"""An instance that no browser has ever seen, and the command line."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import command
from tests.fakes.process import run as run_process
from tests.fakes.telegram import FakeTelegram
from tgm.settings import OPTIONS

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which must be one line of JSON and nothing else."""
        assert (self.code, self.err) == (0, "")
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error, without the word."""
        assert (self.code, self.out) == (1, "")
        assert self.err.startswith("error: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("error: ").rstrip("\n")


Run = Callable[..., Outcome]


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "instance"


@pytest.fixture
def given(instance: Path, telegram: FakeTelegram) -> dict[str, str]:
    """The environment of a command. An empty value hides what a developer's `.env` may say."""
    return {
        **{option.name: "" for option in OPTIONS},
        "INSTANCE_PATH": str(instance),
        "TELEGRAM_API_BASE_URL": telegram.url,
    }


@pytest.fixture
def run(given: dict[str, str]) -> Run:
    """Run a command in this process."""

    def run(*args: str, stdin: str | bytes = "", **environ: str) -> Outcome:
        done = command.run(*args, environ={**given, **environ}, stdin=stdin)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def process(given: dict[str, str]) -> Run:
    """Run `python -m tgm` as a script would."""

    def process(*args: str, stdin: str = "", **environ: str) -> Outcome:
        done = run_process(*args, environ={**given, **environ}, stdin=stdin)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return process


@pytest.fixture
def add_user(run: Run) -> Callable[..., Outcome]:
    def add_user(email: str, role: str = "owner", *args: str) -> Outcome:
        return run(
            "user", "add", email, "--role", role, "--password-stdin", "--json", *args,
            stdin=PASSWORD + "\n",
        )  # fmt: skip

    return add_user


@pytest.fixture
def set_up(add_user: Callable[..., Outcome]) -> None:
    """The first user, and with them the team."""
    assert add_user("owner@example.com").code == 0
