"""Waiting for many sockets at once, in one thread that never waits for a single one."""

from collections.abc import Callable
from typing import Protocol

# Where a server that has such a thread puts its Waiter into the environ of a request.
WAITER = "tgm.waiter"


class Awaited(Protocol):
    """Somebody who waits for a socket. `until` is in seconds of the monotonic clock."""

    @property
    def descriptor(self) -> int:
        """The socket's number."""

    @property
    def until(self) -> float:
        """When `late` is due."""

    def ready(self) -> None:
        """Hear that the socket can be read or written, or has failed. May not wait or raise."""

    def late(self) -> None:
        """Hear that the time is over. May not wait or raise."""


class Waiter(Protocol):
    """The thread that waits. All but `in_thread` is called in that thread only."""

    def wait_for(self, each: Awaited, *, to_write: bool = False) -> None:
        """Tell `each` when there is something to read; with `to_write`, when there is room."""

    def forget(self, each: Awaited) -> None:
        """Tell it nothing more. Called before its socket is closed, or used by somebody else."""

    def in_thread(self, job: Callable[[], None]) -> None:
        """Do what may take its time, in a thread that answers requests."""
