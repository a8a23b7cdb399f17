"""Which workers of this box are alive: each holds a lock on a file named after its id.

The kernel lets the lock go with the process, however that ended. So a worker that starts can tell
a dead one's claims from a living one's, and need not wait until their leases run out.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tgm.shared.ids import new_id, parse_id

_FOLDER = "workers"


class Owner:
    """This worker's id, and its lock."""

    def __init__(self, instance: Path, folder: str = _FOLDER) -> None:
        """Take a fresh id. Raises OSError when the instance folder cannot be written.

        Workers of one kind share a `folder`, and bury each other.
        """
        self.id = str(new_id())
        self._folder = instance / folder
        self._folder.mkdir(parents=True, exist_ok=True)
        # Locked before it gets its name: nobody must see it without its lock.
        draft = self._folder / f".{self.id}"
        self._file = draft.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._path = draft.rename(self._folder / self.id)

    def bury(self, release: Callable[[str], object]) -> list[str]:
        """Call `release` with the id of each worker that is gone, and return those ids."""
        gone = []
        for path in sorted(self._folder.iterdir()):
            if path == self._path or parse_id(path.name) is None:
                continue
            lock = _taken(path)
            if lock is None:
                continue
            with lock:
                release(path.name)
                # Last: a crash before this leaves the file for the next one.
                path.unlink(missing_ok=True)
            gone.append(path.name)
        return gone

    def close(self) -> None:
        """Let go. What this worker still has claimed is then anybody's."""
        self._file.close()


def _taken(path: Path) -> IO[str] | None:
    try:
        file = path.open("r+")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
