"""Telegram: posts updates over many connections, each again until it is answered 200."""

import http.client
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

CONNECTIONS = 32
_CHATS_PER_CONNECTION = 4
_PAUSE_AFTER_FAILURE = 0.02


class Mark(NamedTuple):
    """Which update: the `number`th of its chat."""

    bot: int
    chat: int
    number: int


def body_of(mark: Mark, update_id: int) -> bytes:
    """Return the update as Telegram would send it."""
    chat = {"id": mark.chat, "type": "private", "first_name": "Ani"}
    message = {"message_id": 1, "date": 1, "chat": chat, "from": chat, "text": "Dua kopi"}
    update = {"update_id": update_id, "message": message, "mark": mark}
    return json.dumps(update).encode()


def mark_of(body: bytes) -> Mark:
    """Return which update this is."""
    return Mark(*json.loads(body)["mark"])


@dataclass(frozen=True)
class Address:
    """Where a bot's updates are posted."""

    path: str
    secret: str


class Feeder:
    """Feeds all bots at `rate` updates a second in all, until it is told to stop.

    A chat belongs to one connection, and its next update waits for the last one's 200, so that the
    order of intake is known.
    """

    def __init__(self, port: int, addresses: Sequence[Address], rate: float) -> None:
        self._port = port
        self._addresses = addresses
        self._every = CONNECTIONS / rate
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.accepted: set[Mark] = set()
        self.posts = 0
        self.unanswered = 0
        self.refused = 0
        self._threads = [
            threading.Thread(target=self._feed, args=(number,), daemon=True)
            for number in range(CONNECTIONS)
        ]

    def start(self) -> None:
        """Begin, in the background."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no new update, and wait until the last ones are answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self._threads), "an update never got its 200"

    def _feed(self, connection_number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        number = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            place = number % (_CHATS_PER_CONNECTION * len(self._addresses))
            bot, chat = divmod(place, _CHATS_PER_CONNECTION)
            mark = Mark(
                bot,
                1 + connection_number * _CHATS_PER_CONNECTION + chat,
                number // (_CHATS_PER_CONNECTION * len(self._addresses)),
            )
            body = body_of(mark, number * CONNECTIONS + connection_number)
            while (connection := self._post(connection, self._addresses[bot], body)) is None:
                time.sleep(_PAUSE_AFTER_FAILURE)
            with self._lock:
                self.accepted.add(mark)
            number += 1
            self._stopping.wait(max(0.0, began + self._every - time.monotonic()))
        if connection is not None:
            connection.close()

    def _post(
        self, connection: http.client.HTTPConnection | None, address: Address, body: bytes
    ) -> http.client.HTTPConnection | None:
        """Return the connection after a 200, None after anything else."""
        headers = {
            "Content-Type": "application/json",
            "X-Telegram-Bot-Api-Secret-Token": address.secret,
        }
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("POST", address.path, body, headers)
            self._count("posts")
            response = connection.getresponse()
            response.read()
        except ConnectionRefusedError:
            connection.close()
            return None
        except (OSError, http.client.HTTPException):
            self._count("unanswered")
            connection.close()
            return None
        if response.status == 200:
            return connection
        self._count("refused")
        connection.close()
        return None

    def _count(self, name: str) -> None:
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)
