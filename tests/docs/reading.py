"""Somebody who follows the documentation: copies a sample from the page and runs it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.serving import Served

SAMPLE = re.compile(r'<code id="sample-([\w-]+)">(.*?)</code>', re.DOTALL)
# Said by curl behind the answer, so that a test knows the status.
_CURLRC = 'silent\nshow-error\nwrite-out = "\\n%{http_code}"\n'


@dataclass(frozen=True)
class Ran:
    """What a command line printed: the answer's body and its status."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Reader:
    """Somebody at a shell of their own, with the page open in a language."""

    served: Served
    language: str
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def samples(self) -> dict[str, str]:
        """Return each sample of the page as it is copied."""
        got = self.served.call("GET", "/docs/", headers={"Accept-Language": self.language})
        assert got.status == 200
        return {name: unescape(text) for name, text in SAMPLE.findall(got.body.decode())}

    def copy(self, name: str, bot_id: str = "", key: str = "") -> str:
        """Copy a command, and put an id and a key into the places for them."""
        text = self.samples()[name]
        for place, value in ((r"01H\.\.\.|<botId>", bot_id), (r"tgm_live_\.\.\.", key)):
            if value:
                text, count = re.subn(place, lambda _, value=value: value, text)  # type: ignore[misc]
                assert count == 1, f"{name} has {count} places for {value}"
        return text

    def run(self, command: str) -> Ran:
        """Run a command line with a shell and curl."""
        (self.folder / ".curlrc").write_text(_CURLRC)
        ran = self._start(["sh", "-c", command])
        assert ran.returncode == 0, ran.stderr
        text, _, status = ran.stdout.rpartition("\n")
        return Ran(int(status), text)

    def python(self, program: str) -> str:
        """Run a Python program and return what it prints."""
        ran = self._start([sys.executable, "-c", program])
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def node(self, program: str) -> str:
        """Run a Node.js program and return what it prints."""
        ran = self._start([required("node"), "--input-type=module", "-e", program])
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def _start(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CURL_HOME": str(self.folder),
            "NO_PROXY": "127.0.0.1",
            **self.environ,
        }
        return subprocess.run(
            words,
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def required(program: str) -> str:
    """Return a program's path. Where it is missing, the test is skipped, or fails in CI."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed, and the page has samples for it"
        if os.environ.get("TGM_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
