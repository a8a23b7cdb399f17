"""The way to Telegram: TLS with an authority of one's own, and through a proxy."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.certificate import make_certificate
from tests.fakes.listening import Listener
from tests.fakes.telegram import TOKEN, FakeTelegram, Reply, refusal, reply
from tgm.security.secret import Secret
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import Failure, TelegramRefused, TelegramUnreachable
from tgm.telegram.token import BotToken
from tgm.telegram.upstream import Route

BOT = BotToken(TOKEN)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure(certificate: Path) -> Iterator[FakeTelegram]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FakeTelegram(tls=context) as fake:
        yield fake


@pytest.fixture
def clients() -> Iterator[list[TelegramClient]]:
    made: list[TelegramClient] = []
    yield made
    for client in made:
        client.close()


def streamed(client: TelegramClient) -> bytes:
    with client.open_method(BOT, "getMe", verb="GET", query="", headers={}, body=()) as answer:
        return answer.read_up_to(10_000)


def test_an_authority_of_ones_own_is_trusted(
    secure: FakeTelegram, certificate: Path, clients: list[TelegramClient]
) -> None:
    clients.append(TelegramClient(Route(secure.url, ca_file=certificate)))
    assert clients[0].call(BOT, "getMe")["username"] == "tgm_test_bot"
    assert b"tgm_test_bot" in streamed(clients[0])


def test_an_unknown_authority_is_not(secure: FakeTelegram, clients: list[TelegramClient]) -> None:
    clients.append(TelegramClient(Route(secure.url)))
    for ask in (lambda: clients[0].call(BOT, "getMe"), lambda: streamed(clients[0])):
        with pytest.raises(TelegramUnreachable) as refused:
            ask()
        assert refused.value.failure is Failure.TLS
    assert secure.requests == []


class Proxy(Listener):
    """An HTTP proxy on loopback: CONNECT and absolute addresses. Notes what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                block = connection.recv(65536)
                if not block:
                    return
                head += block
            lines = head.decode().split("\r\n")
            verb, target, _ = lines[0].split(" ")
            password = next(
                (x for x in lines if x.lower().startswith("proxy-authorization:")), None
            )
            self.asked.append((f"{verb} {target}", password))
            place = target if verb == "CONNECT" else target.split("/")[2]
            host, port = place.split(":")
            with socket.create_connection((host, int(port)), timeout=30) as onward:
                if verb == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    path = "/" + target.split("/", 3)[3]
                    onward.sendall(head.replace(target.encode(), path.encode(), 1))
                back = threading.Thread(target=_pump, args=(onward, connection), daemon=True)
                back.start()
                _pump(connection, onward)
                back.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while block := source.recv(65536):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


def test_plain_http_goes_through_the_proxy(
    telegram: FakeTelegram, proxy: Proxy, clients: list[TelegramClient]
) -> None:
    way = Secret(f"http://me:p%40ss@{proxy.address}")
    clients.append(TelegramClient(Route(telegram.url, proxy_url=way)))
    assert b"tgm_test_bot" in streamed(clients[0])
    assert clients[0].call(BOT, "getMe")["username"] == "tgm_test_bot"
    target = f"{telegram.url}/bot{TOKEN}/getMe"
    # me:p@ss in base64
    password = "Proxy-Authorization: Basic bWU6cEBzcw=="
    assert proxy.asked == [(f"GET {target}", password), (f"POST {target}", password)]
    assert telegram.requests[0].target == f"/bot{TOKEN}/getMe"


def test_tls_goes_through_the_proxy_without_its_seeing_the_token(
    secure: FakeTelegram, certificate: Path, proxy: Proxy, clients: list[TelegramClient]
) -> None:
    way = Secret(f"http://{proxy.address}")
    clients.append(TelegramClient(Route(secure.url, proxy_url=way, ca_file=certificate)))
    assert b"tgm_test_bot" in streamed(clients[0])
    assert clients[0].call(BOT, "getMe")["username"] == "tgm_test_bot"
    place = secure.url.removeprefix("https://")
    assert [asked for asked, _ in proxy.asked] == [f"CONNECT {place}"] * 2


def test_only_our_own_setting_decides_the_way(
    telegram: FakeTelegram, clients: list[TelegramClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    clients.append(TelegramClient(Route(telegram.url)))
    assert clients[0].call(BOT, "getMe")["username"] == "tgm_test_bot"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Reply(b"", close=True), Failure.CONNECT),
        (Reply(b"SSH-2.0\r\n", close=True), Failure.CONNECT),
        (reply(b"<html>hello</html>"), Failure.PROTOCOL),
        (reply([1]), Failure.PROTOCOL),
        (reply({"ok": False}), Failure.PROTOCOL),
    ],
)
def test_a_control_call_that_fails_says_how_and_not_where(
    telegram: FakeTelegram, clients: list[TelegramClient], answer: Reply, failure: Failure
) -> None:
    clients.append(TelegramClient(Route(telegram.url)))
    telegram.replies(answer)
    with pytest.raises(TelegramUnreachable) as refused:
        clients[0].call(BOT, "getMe")
    assert refused.value.failure is failure
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert TOKEN not in str(refused.value)


def test_a_control_call_that_is_refused_carries_the_decision(
    telegram: FakeTelegram, clients: list[TelegramClient]
) -> None:
    clients.append(TelegramClient(Route(telegram.url)))
    telegram.replies(refusal(429, "Too Many Requests: retry after 7", retry_after=7))
    with pytest.raises(TelegramRefused) as refused:
        clients[0].call(BOT, "setWebhook", url="https://x")
    assert (refused.value.code, refused.value.retry_after) == (429, 7)


def test_a_redirect_is_not_followed(telegram: FakeTelegram, clients: list[TelegramClient]) -> None:
    clients.append(TelegramClient(Route(telegram.url)))
    telegram.replies(reply({"ok": False}, 302, headers={"Location": telegram.url + "/elsewhere"}))
    with pytest.raises(TelegramUnreachable):
        clients[0].call(BOT, "getMe")
    assert len(telegram.requests) == 1
