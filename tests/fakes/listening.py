"""A server on loopback: accepts connections, each served in a thread of its own."""

import contextlib
import socket
import threading
from typing import Self


class Listener:
    """The base of the fakes. A subclass says in `serve` what it does with a connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener.fileno() >= 0:
            shut(self._listener)

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection to its end. It is closed afterwards."""
        raise AssertionError("say in a subclass what to do with a connection")

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self.serve(connection)
        except (OSError, ValueError):
            return
        finally:
            shut(connection)


def shut(connection: socket.socket) -> None:
    """Close a socket, also one that another thread is waiting on."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
