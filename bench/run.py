"""What every section is given: folders, cores, an upstream, an installation, and how long."""

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

    @property
    def repeats(self) -> int:
        """How often each figure is taken; one after the other, in turns."""
        return 2 if self.is_quick else 5

    @property
    def seconds(self) -> int:
        """How long each load lasts."""
        return 1 if self.is_quick else 3

    def fresh(self, name: str) -> Installation:
        """Make another installation, for a section that should not share one."""
        return install(self.folder / name, self.telegram.url)


@contextmanager
def preparing(*, is_quick: bool) -> Iterator[Bench]:
    """Start what all sections share."""
    machine.raise_descriptor_limit()
    folder, cores = Path(mkdtemp(prefix="tgm-bench-")), machine.cores()
    try:
        with telegram(folder, cores.load) as upstream:
            installation = install(folder / "instance", upstream.url)
            yield Bench(is_quick, folder, cores, upstream, installation)
    finally:
        rmtree(folder, ignore_errors=True)
