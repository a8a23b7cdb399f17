"""Running a command of `python -m tgm` in this process: a second sooner than in one of its own."""

import io
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

import pytest

from tgm.cli import main
from tgm.settings import OPTIONS


def run(
    *arguments: str, environ: Mapping[str, str], stdin: str | bytes = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with these settings alone, as `tests.fakes.process.run` does."""
    out, err = io.StringIO(), io.StringIO()
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for option in OPTIONS:
            # An empty value hides what a developer's `.env` may say.
            patch.setenv(option.name, environ.get(option.name, ""))
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = main(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
