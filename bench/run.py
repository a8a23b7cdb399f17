"""What every section is given: folders, cores, an upstream, an installation, and how long."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from bench import machine
from bench.installation import Installation, install
from bench.machine import Cores
from bench.processes import Program
from bench.upstream import telegram


@dataclass(frozen=True)
class Bench:
    """One run. `folder` is for whatever a section needs, and goes at the end."""

    is_quick: bool
    folder: Path
    cores: Cores
    telegram: Program
    installation: Installation
    _pristine: Installation

    @property
    def repeats(self) -> int:
        """How often each figure is taken; one after the other, in turns."""
        return 2 if self.is_quick else 5

    @property
    def seconds(self) -> int:
        """How long each load lasts."""
        return 1 if self.is_quick else 3

    def fresh(self, name: str) -> Installation:
        """Return a new installation with the same bots and key, in a folder of its own."""
        return self._pristine.copied(self.folder / name)


@contextmanager
def preparing(*, is_quick: bool) -> Iterator[Bench]:
    """Start what all sections share."""
    machine.raise_descriptor_limit()
    folder, cores = Path(mkdtemp(prefix="tgm-bench-")), machine.cores()
    # What this process does itself is load, too.
    os.sched_setaffinity(0, cores.load)
    try:
        with telegram(folder, cores.load) as upstream:
            pristine = install(folder / "pristine", upstream.url)
            installation = pristine.copied(folder / "instance")
            yield Bench(is_quick, folder, cores, upstream, installation, pristine)
    finally:
        rmtree(folder, ignore_errors=True)
