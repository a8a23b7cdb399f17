"""Calling Telegram: control calls whose result TGM wants, and calls passed through as a stream."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tgm.shared.waiting import Waiter
from tgm.telegram.answer import Answer
from tgm.telegram.errors import Failure, TelegramUnreachable, before_answer
from tgm.telegram.exchange import Done, Exchange
from tgm.telegram.longpoll import LongPoll
from tgm.telegram.token import BotToken
from tgm.telegram.upstream import Pools, Route, is_cloud


class TelegramClient:
    """The way to Telegram for the whole process. Safe to share between threads."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self.pools = Pools(route)

    def __repr__(self) -> str:
        return "<TelegramClient>"

    def within(self, seconds: float) -> "TelegramClient":
        """Return a client of its own that waits no longer than this for an answer."""
        return TelegramClient(replace(self._route, timeout=min(seconds, self._route.timeout)))

    def is_cloud(self, token: BotToken) -> bool:
        """Tell whether the bot is at Telegram's own server."""
        return is_cloud(self._route.towards(token.server).base_url)

    def call(self, token: BotToken, method: str, **params: object) -> Any:
        """Call a method and return its `result`.

        Raises TelegramRefused when Telegram says no, TelegramUnreachable when it says nothing.
        """
        # The first call loads requests: the start is quicker, and idle memory less, without it.
        from tgm.telegram import control

        return control.call(self._route.towards(token.server), token, method, params)

    def open_method(
        self,
        token: BotToken,
        method: str,
        *,
        verb: str,
        query: str,
        headers: Mapping[str, str],
        body: Iterable[bytes],
    ) -> Answer:
        """Send a method call as it is, and return the answer with its body still to come.

        `query` is what stood behind the question mark, unparsed. Raises TelegramUnreachable.
        """
        return self._open(token, verb, f"/bot{token.value}/{method}", query, headers, body)

    def begin_method(
        self,
        token: BotToken,
        method: str,
        *,
        verb: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        waiter: Waiter,
        longest: int,
        done: Done,
    ) -> bool:
        """Send a method call as it is without waiting for anything; called by the waiter's thread.

        Returns False where no connection is free: nothing has been sent then. Otherwise `done` gets
        the answer, here in full or up to `longest` bytes of it, or what went wrong. Raises
        TelegramUnreachable where the request cannot be written down.
        """
        pool = self.pools.known(token.server)
        connection = pool and pool.take_idle()
        if not pool or not connection:
            return False
        path = f"/bot{token.value}/{method}"
        try:
            head = pool.head(verb, f"{path}?{query}" if query else path, headers)
        except ValueError as error:
            pool.give_back(connection)
            raise TelegramUnreachable(before_answer(error)) from None
        Exchange(connection, pool, waiter, longest, done).begin(head + body)
        return True

    def open_file(self, token: BotToken, path: str, headers: Mapping[str, str]) -> Answer:
        """Start to download a file. `path` is percent-encoded. Raises TelegramUnreachable."""
        return self._open(token, "GET", f"/file/bot{token.value}/{path}", "", headers, ())

    def _open(
        self,
        token: BotToken,
        verb: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: Iterable[bytes],
    ) -> Answer:
        pool = self.pools.at(token.server)
        connection = pool.take()
        target = f"{path}?{query}" if query else path
        try:
            response = connection.ask(pool.head(verb, target, headers), body)
        except (OSError, ValueError) as error:
            connection.close()
            raise TelegramUnreachable(before_answer(error)) from None
        except BaseException:
            connection.close()
            raise
        if response.status < 200:
            # Another answer follows it on this connection, and would be the next caller's.
            connection.close()
            raise TelegramUnreachable(Failure.PROTOCOL)
        return Answer(response, connection, pool)

    def long_poll(self) -> LongPoll:
        """Return a way to wait for one bot's updates, with connections of its own."""
        return LongPoll(self._route)

    def close(self) -> None:
        """Close the idle connections."""
        self.pools.close()
