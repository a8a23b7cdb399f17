"""Making load with wrk: one kept-alive connection for each caller, call after call."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import pinned

SCRIPT = Path(__file__).with_name("wrk.lua")
TIMEOUT_SECONDS = 10
_MARK = "RESULT "


@dataclass(frozen=True)
class Load:
    """What callers got. Times are in milliseconds."""

    calls: int
    seconds: float
    median: float
    p99: float
    refused: int
    """Answers that were not 2xx or 3xx."""
    broken: int
    """Connections that failed or broke off."""
    late: int
    """Calls without an answer within TIMEOUT_SECONDS."""

    @property
    def per_second(self) -> float:
        """Calls that were answered well, per second."""
        return (self.calls - self.refused) / self.seconds

    @property
    def failures(self) -> int:
        """All that went wrong."""
        return self.refused + self.broken + self.late


def parse(output: str) -> Load:
    """Read what wrk.lua prints at the end. Raises ValueError where it printed nothing."""
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise ValueError(f"wrk told no result: {output}")
    facts = json.loads(line.removeprefix(_MARK))
    return Load(
        calls=facts["calls"],
        seconds=facts["microseconds"] / 1e6,
        median=facts["p50"] / 1000,
        p99=facts["p99"] / 1000,
        refused=facts["status"],
        broken=facts["connect"] + facts["read"] + facts["write"],
        late=facts["timeout"],
    )


def wrk(
    url: str,
    *,
    callers: int,
    seconds: float,
    on: Sequence[int],
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    script: Path = SCRIPT,
) -> Load:
    """Let `callers` call an address for some whole seconds; a `body` is sent as JSON by POST.

    Another `script` is given the body, and prints its result in the same way.

    Raises ValueError where wrk could not even begin.
    """
    given = {"Content-Type": "application/json", **(headers or {})} if body else headers or {}
    command = ["wrk", "--threads", "1", "--connections", str(callers)]
    command += ["--duration", f"{max(1, round(seconds))}s", "--timeout", f"{TIMEOUT_SECONDS}s"]
    command += ["--script", str(script)]
    for name, value in given.items():
        command += ["--header", f"{name}: {value}"]
    command += [url] if body is None else [url, "--", body]
    done = subprocess.run(
        pinned(on, command),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 3 * TIMEOUT_SECONDS,
    )
    return parse(done.stdout + done.stderr)
