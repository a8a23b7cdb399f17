"""Running `python -m tgm` as a process of its own, as a person does."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.serving import Served
from tgm.settings import PROJECT

START_SECONDS = 30
QUIET_SECONDS = 0.2


def run(
    *arguments: str, environ: Mapping[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tgm", *arguments],
        cwd=PROJECT,
        env=_own(environ),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _own(environ: Mapping[str, str]) -> dict[str, str]:
    # Nothing of the test machine's own settings, but what Python itself needs.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **environ}


@dataclass
class Process:
    """A serving process. `served` speaks to it; `output` is what it has printed so far."""

    popen: subprocess.Popen[bytes]
    served: Served
    output: str
    log: Path

    def memory(self, field: str) -> int:
        """Return VmRSS (now) or VmHWM (the peak) in KiB."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])

    def forget_peak(self) -> None:
        """Let VmHWM begin anew at what is used now."""
        Path(f"/proc/{self.popen.pid}/clear_refs").write_text("5")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(START_SECONDS)


@contextmanager
def process(environ: Mapping[str, str], log: Path, *words: str) -> Iterator[Process]:
    """Run `python -m tgm serve` with `words`; its standard error goes to `log`."""
    with log.open("a") as errors:
        popen = subprocess.Popen(
            [sys.executable, "-m", "tgm", "serve", *words],
            cwd=PROJECT,
            env=_own(environ),
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        said = _said(popen, log)
        yield Process(popen, Served(said.splitlines()[0].split()[-1]), said, log)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait(START_SECONDS)
        if popen.stdout is not None:
            popen.stdout.close()


@contextmanager
def beginning(environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m tgm serve` without waiting for anything it says."""
    with subprocess.Popen(
        [sys.executable, "-m", "tgm", "serve"],
        cwd=PROJECT,
        env=_own(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as popen:
        try:
            yield popen
        finally:
            if popen.poll() is None:
                popen.kill()


def _said(popen: subprocess.Popen[bytes], log: Path) -> str:
    """Return the first line and what follows it at once, read past Python's own buffer."""
    said = b""
    until = time.monotonic() + START_SECONDS
    while popen.stdout is not None and time.monotonic() < until:
        quiet = not select.select([popen.stdout], [], [], QUIET_SECONDS)[0]
        if quiet and b"\n" in said:
            return said.decode()
        if not quiet:
            part = os.read(popen.stdout.fileno(), 4096)
            if not part:
                break
            said += part
    raise AssertionError(f"it does not serve: {log.read_text()}")
