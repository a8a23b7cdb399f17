"""Running a program of another's making in a process of its own, and telling it when to go on."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

import pytest

from tgm.settings import PROJECT

LIBRARIES = Path(__file__).parent / "libraries"
PATIENCE = 60


def command(program: str) -> list[str]:
    """Return what runs a program of `tests/dropin/libraries`."""
    if (LIBRARIES / f"{program}.mjs").exists():
        require_node()
        return ["node", str(LIBRARIES / f"{program}.mjs")]
    return [sys.executable, "-m", f"tests.dropin.libraries.{program}"]


def require_node() -> None:
    """Skip the test where Node or its packages are missing; fail where they must be there."""
    if shutil.which("node") and (LIBRARIES / "node_modules" / ".made").exists():
        return
    missing = "node is missing, or what `make` lets npm install for it"
    # The one flag of a machine on which nothing may be left out: .ci/run sets it.
    if os.environ.get("TGM_REQUIRE_BROWSER"):
        pytest.fail(missing)
    pytest.skip(missing)


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Running:
    """A program under way. It speaks in lines of JSON and waits for a line from time to time."""

    def __init__(self, popen: subprocess.Popen[str], log: Path) -> None:
        self._popen = popen
        self._log = log
        self._lines: Queue[str] = Queue()
        assert popen.stdout
        threading.Thread(target=self._read, args=(popen.stdout,), daemon=True).start()

    def says(self) -> dict[str, Any]:
        """Return what it says next."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except Empty:
            line = ""
        assert line, f"the program says nothing more: {self._log.read_text()[-4000:]}"
        found: dict[str, Any] = json.loads(line)
        return found

    def go_on(self) -> None:
        """Let it go on from where it waits."""
        assert self._popen.stdin
        self._popen.stdin.write("\n")
        self._popen.stdin.flush()

    def ends(self) -> int:
        """Wait for its end and return the exit code."""
        return self._popen.wait(PATIENCE)

    def _read(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._lines.put(line)
        self._lines.put("")


@contextmanager
def running(program: str, given: Mapping[str, str], log: Path) -> Iterator[Running]:
    """Run a program until the end of the block; its standard error goes to `log`."""
    # Nothing of the test machine's own settings: a proxy's, say.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("w") as errors:
        popen = subprocess.Popen(
            command(program),
            cwd=PROJECT,
            env={**kept, **given},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with popen:
        try:
            yield Running(popen, log)
        finally:
            popen.kill()
