"""Starting programs for a while: nginx, peers, TGM itself; and what they use meanwhile."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from tgm.settings import PROJECT

START_SECONDS = 30
STOP_SECONDS = 20
_TICKS = os.sysconf("SC_CLK_TCK")


class NotServing(Exception):
    """A program ended, or did not answer in time. Its text is what it said."""


@dataclass(frozen=True)
class Program:
    """A program that serves on a port of 127.0.0.1."""

    popen: subprocess.Popen[bytes]
    port: int
    started_after: float
    """Seconds from its start until the first connection was taken."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        """It and all its children, which several processes of one server are."""
        return family(self.popen.pid)

    def processor_seconds(self) -> float:
        """Return the processor's time that all of them have used so far."""
        return sum(map(_processor_seconds, self.pids))

    def memory(self, field: str = "VmRSS") -> float:
        """Return what all of them have in memory, in MiB; VmHWM is the peak."""
        return sum(_status(pid, field) for pid in self.pids) / 1024

    def forget_peak(self) -> None:
        """Let VmHWM begin anew at what is used now."""
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    *,
    log: Path,
    on: Sequence[int],
    environ: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """Run a program on certain cores until the end of the block, from when its port answers.

    Raises NotServing. What it prints goes to `log`.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    began = time.monotonic()
    with log.open("ab") as errors:
        popen = subprocess.Popen(
            machine.pinned(on, command),
            cwd=PROJECT,
            env={**kept, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
    try:
        _wait_for(popen, port, log)
        yield Program(popen, port, time.monotonic() - began)
    finally:
        _end(popen)


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += map(int, thread.read_text().split())
        except OSError:
            continue
    return [pid, *(one for child in children for one in family(child))]


def _wait_for(popen: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if popen.poll() is not None or time.monotonic() > until:
                raise NotServing(f"{popen.args!r}: {log.read_text()[-2000:]}") from None
            time.sleep(0.005)
        else:
            return


def _end(popen: subprocess.Popen[bytes]) -> None:
    popen.terminate()
    try:
        popen.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"It had to be killed: {popen.args!r}"[:200], file=sys.stderr, flush=True)
        popen.kill()
        popen.wait()


def _processor_seconds(pid: int) -> float:
    # The name may hold spaces; behind its bracket come the fields from the third on.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])
