"""What a gateway owes its callers besides forwarding, for the peers in Python.

They run in an environment without TGM's packages, so this knows the standard library only.
"""

import json
import sqlite3
import sys
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

_WINDOW = 60
_FLUSH_SECONDS = 0.5
# They concern one connection, or are made anew by the client.
NOT_PASSED_ON = frozenset(
    ("host", "connection", "keep-alive", "transfer-encoding", "content-length", "x-api-key")
)


@dataclass(frozen=True)
class Refused(Exception):
    """The call may not go on."""

    status: int
    description: str

    @property
    def body(self) -> dict[str, Any]:
        """Return it as Telegram would say it."""
        return {"ok": False, "error_code": self.status, "description": self.description}


class Duty:
    """Keys by their hash, a fixed window for each, the bots' tokens, and a log in batches."""

    def __init__(self) -> None:
        given = json.loads(Path(sys.argv[1]).read_text())
        self.port: int = given["port"]
        self.upstream: str = given["upstream"]
        self._keys: dict[str, dict[str, Any]] = given["keys"]
        self._bots: dict[str, str] = given["bots"]
        self._counts: dict[str, tuple[int, int]] = {}
        self._rows: list[tuple[float, str, str, int, float]] = []
        threading.Thread(target=self._write, args=(given["log"],), daemon=True).start()

    def admit(self, secret: str) -> tuple[str, dict[str, str]]:
        """Return the key's id and the headers of its limit. Raises Refused."""
        key = self._keys.get(sha256(secret.encode()).hexdigest())
        if key is None:
            raise Refused(401, "Unauthorized")
        window = int(time.time()) // _WINDOW
        known, calls = self._counts.get(key["id"], (window, 0))
        calls = calls + 1 if known == window else 1
        self._counts[key["id"]] = (window, calls)
        if calls > key["per_minute"]:
            raise Refused(429, "Too Many Requests")
        return key["id"], {
            "X-RateLimit-Limit": str(key["per_minute"]),
            "X-RateLimit-Remaining": str(key["per_minute"] - calls),
            "X-RateLimit-Reset": str((window + 1) * _WINDOW),
        }

    def target(self, bot: str, method: str) -> str:
        """Return Telegram's address of a call. Raises Refused."""
        token = self._bots.get(bot)
        if token is None:
            raise Refused(404, "Not Found")
        return f"{self.upstream}/bot{token}/{method}"

    def note(self, key_id: str, method: str, status: int, began: float) -> None:
        """Log a call; it is written within a second."""
        self._rows.append((began, key_id, method, status, time.time() - began))

    def _write(self, path: str) -> None:
        database = sqlite3.connect(path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS log"
            " (at REAL, key TEXT, method TEXT, status INTEGER, seconds REAL)"
        )
        while True:
            time.sleep(_FLUSH_SECONDS)
            rows, self._rows = self._rows, []
            with database:
                database.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?)", rows)
