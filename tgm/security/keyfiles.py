"""Secrets that TGM makes for itself on the first start, in files that only its user can read."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

PRIVATE = 0o600


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """Return the text in `path`; on the first start, make it with `make()` and mode 0600.

    Two processes that start together agree on one text: the file appears whole or not at all, and
    whoever comes second reads it. Raises OSError when the folder cannot be written.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft(path)
        _write_private(draft, make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        path.chmod(PRIVATE)
    return path.read_text().strip()


def replace(path: Path, text: str) -> None:
    """Put `text` into `path` in one step, mode 0600: a crash leaves the old text or the new."""
    draft = _draft(path)
    _write_private(draft, text)
    draft.replace(path)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def _draft(path: Path) -> Path:
    # Threads share the process id, so it alone would not keep two drafts apart.
    return path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
