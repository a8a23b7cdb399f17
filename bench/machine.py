"""The machine: its cores and who runs on which, what is installed, how busy it is."""

import json
import os
import platform
import re
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tgm.settings import PROJECT

ECHO_MODULE = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
# What `make` installs.
MADE = (
    PROJECT / "bench" / ".venv" / ".made",
    PROJECT / "bench" / "peers" / "node" / "node_modules" / "http-proxy",
)
PINS = PROJECT / "bench" / "requirements.txt"
_DESCRIPTORS = 65536


@dataclass(frozen=True)
class Cores:
    """Which cores the measured programs have, and which the load and the upstream.

    With one core for all, ratios tell less: the load takes its part of every call.
    """

    gateway: tuple[int, ...]
    load: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        """Both, for what should use every core."""
        return tuple(sorted({*self.gateway, *self.load}))


def cores() -> Cores:
    """Share out the first two cores that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores((usable[0],), (usable[min(1, len(usable) - 1)],))


def pinned(on: Sequence[int], command: Sequence[str]) -> list[str]:
    """Return a command that runs another one on certain cores."""
    return ["taskset", "-c", ",".join(map(str, on)), *command]


def missing() -> str | None:
    """Return in one sentence what must be installed before anything can be measured."""
    packages = [
        name
        for name, is_there in (
            ("wrk", shutil.which("wrk")),
            ("nginx", nginx() is not None),
            ("libnginx-mod-http-echo", ECHO_MODULE.exists()),
            ("nodejs", shutil.which("node")),
            ("npm", shutil.which("npm")),
            ("util-linux", shutil.which("taskset")),
        )
        if not is_there
    ]
    if packages:
        return f"Measuring needs more of Debian: apt-get install {' '.join(packages)}"
    if not all(path.exists() for path in MADE):
        return "What TGM is measured against is not installed: make bench does that."
    return None


def nginx() -> str | None:
    """Return nginx's program, which is not on everybody's path."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def raise_descriptor_limit() -> None:
    """Let this process and those it starts have enough connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def load() -> str:
    """Return the load averages of the last 1, 5 and 15 minutes."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


def facts() -> dict[str, str]:
    """Return what a reader must know to compare two reports."""
    return {
        "When": datetime.now(UTC).isoformat(timespec="minutes"),
        "Processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores usable",
        "System": f"{platform.system()} {platform.release()}",
        "Load average at the start": load(),
        "Python": platform.python_version(),
        "waitress, Flask": f"{version('waitress')}, {version('flask')}",
        "nginx": _said([nginx() or "nginx", "-v"]),
        "wrk": _said(["wrk", "-v"]),
        "Node": _said(["node", "--version"]),
        "Peers": _peers(),
        "Revision": _said(["git", "rev-parse", "--short", "HEAD"]),
    }


def _peers() -> str:
    pins = re.findall(r"^(aiohttp|fastapi|httpx|uvicorn)==(\S+)", PINS.read_text(), re.MULTILINE)
    proxy = json.loads((MADE[1] / "package.json").read_text())["version"]
    return ", ".join([f"http-proxy {proxy}", *(f"{name} {number}" for name, number in pins)])


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = (done.stdout or done.stderr).strip().splitlines()
    found = re.search(r"\d+\.\d[\w.+-]*", words[0]) if words else None
    return found[0] if found else words[0] if words else "unknown"
