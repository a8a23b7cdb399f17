"""People who look on and programs that wait: what stays open while others call."""

import re
import selectors
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import cast
from urllib.parse import urlsplit

import requests

from bench.installation import PASSWORD, Installation, application
from bench.upstream import PLAIN_TOKEN, SLOW_TOKEN
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.auth.roles import Role
from tgm.dropin.tokens import virtual_token
from tgm.keys import service as keys
from tgm.keys.rights import Rights

# One person may have 20 pages open.
_EMAILS = tuple(f"person{number}@example.com" for number in range(3))
_SCREENS = ("/dashboard/requests", "/dashboard/deliveries")
_AGENT = "bench"
_CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_TURN_SECONDS = 0.2
_NEWS = re.compile(r'hx-get="(/dashboard/\?[^"]+)"')
# A home page renews itself every 15 seconds: this one stands for five of them.
_HOME_SECONDS = 3


@dataclass(frozen=True)
class Visitors:
    """Who may come: the people's e-mail addresses, and the programs' tokens."""

    emails: Sequence[str]
    tokens: Sequence[str] = field(repr=False)


@dataclass
class Open:
    """Connections that are open; a thread takes what comes on them. `ended` of them are over."""

    connections: list[socket.socket]
    ended: int = 0


def make(installation: Installation, polls: int) -> Visitors:
    """Make people, and keys enough for so many long polls: each may poll both bots."""
    telegram_ids = [int(token.partition(":")[0]) for token in (PLAIN_TOKEN, SLOW_TOKEN)]
    tokens = []
    with application(installation):
        team = people.only_team().id
        for email in _EMAILS:
            people.add_user(email, PASSWORD, Role.ADMIN, team, COMMAND_LINE)
        for number in range(polls // len(telegram_ids)):
            _, secret = keys.make(team, Rights(f"Program {number}"), COMMAND_LINE)
            tokens += [virtual_token(one, secret.value).value for one in telegram_ids]
    return Visitors(_EMAILS, tokens)


def cookies(url: str, visitors: Visitors) -> list[str]:
    """Sign everybody in; return their cookies as a browser sends them."""
    return [_signed_in(url, email) for email in visitors.emails]


@contextmanager
def present(
    url: str, visitors: Visitors, signed_in: Sequence[str], inspectors: int
) -> Iterator[Open]:
    """Keep every long poll and so many live pages open until the end of the block."""
    with ExitStack() as stack:
        asked = [_poll(token) for token in visitors.tokens]
        asked += [_look(number, signed_in) for number in range(inspectors)]
        found = Open([stack.enter_context(_ask(url, request)) for request in asked])
        stopping = threading.Event()
        reader = threading.Thread(target=_take, args=(found, stopping))
        reader.start()
        try:
            yield found
        finally:
            stopping.set()
            reader.join()


@contextmanager
def at_home(url: str, cookie: str) -> Iterator[None]:
    """Keep the home page open until the end of the block, asking for its news as htmx does."""
    stopping = threading.Event()

    def renew(browser: requests.Session, page: str) -> None:
        while not stopping.wait(_HOME_SECONDS):
            found = _NEWS.search(page)
            assert found is not None, page
            headers = {"HX-Request": "true"}
            answer = browser.get(url + unescape(found[1]), headers=headers, timeout=30)
            answer.raise_for_status()
            page = answer.text or page

    with requests.Session() as browser:
        browser.headers.update({"User-Agent": _AGENT, "Cookie": cookie})
        page = browser.get(f"{url}/dashboard/", timeout=30)
        page.raise_for_status()
        reader = threading.Thread(target=renew, args=(browser, page.text))
        reader.start()
        try:
            yield
        finally:
            stopping.set()
            reader.join()


def _signed_in(url: str, email: str) -> str:
    with requests.Session() as browser:
        browser.headers["User-Agent"] = _AGENT
        page = browser.get(f"{url}/auth/sign-in", timeout=30)
        token = _CSRF.search(page.text)
        assert token is not None, page.text
        fields = {"csrf_token": unescape(token[1]), "email": email, "password": PASSWORD}
        browser.post(f"{url}/auth/sign-in", data=fields, timeout=30).raise_for_status()
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def _poll(token: str) -> str:
    body = '{"timeout": 50}'
    return (
        f"POST /bot{token}/getUpdates HTTP/1.1\r\nHost: tgm\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def _look(number: int, signed_in: Sequence[str]) -> str:
    return (
        f"GET {_SCREENS[number % len(_SCREENS)]} HTTP/1.1\r\nHost: tgm\r\nUser-Agent: {_AGENT}\r\n"
        f"Accept: text/event-stream\r\nCookie: {signed_in[number % len(signed_in)]}\r\n\r\n"
    )


def _ask(url: str, request: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", urlsplit(url).port or 80), timeout=30)
    connection.sendall(request.encode())
    return connection


def _take(found: Open, stopping: threading.Event) -> None:
    """Read what comes. A long poll that is answered has ended; so has a page that was refused."""
    with selectors.DefaultSelector() as selector:
        for connection in found.connections:
            selector.register(connection, selectors.EVENT_READ, data=[])
        while not stopping.is_set():
            for ready, _ in selector.select(_TURN_SECONDS):
                connection = cast("socket.socket", ready.fileobj)
                block = connection.recv(1024 * 1024)
                if not ready.data:
                    ready.data.append(b"text/event-stream" in block)
                if not block or not ready.data[0]:
                    found.ended += 1
                    selector.unregister(connection)
