"""Calls to Telegram by TLS, with and without a thread that waits for the answer."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.certificate import make_certificate
from tests.fakes.telegram import FakeTelegram, reply
from tests.proxy.conftest import Program

pytestmark = pytest.mark.usefixtures("each_way")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def telegram(certificate: Path) -> Iterator[FakeTelegram]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FakeTelegram(tls=context) as fake:
        yield fake


@pytest.fixture
def environ(environ: dict[str, str], certificate: Path) -> dict[str, str]:
    return {**environ, "TELEGRAM_CA_FILE": str(certificate)}


@pytest.mark.parametrize("size", [10, 60_000, 3_000_000])
def test_bodies_and_answers_arrive_whole(
    program: Program, telegram: FakeTelegram, size: int
) -> None:
    program.call("getMe")
    before = telegram.connections
    for letter in (b"a", b"b"):
        telegram.replies(reply(letter * size))
        assert program.call("sendMessage", letter * size).body == letter * size
    assert [each.body for each in telegram.calls("sendMessage")] == [b"a" * size, b"b" * size]
    assert telegram.connections == before


def test_a_connection_that_telegram_has_closed_is_not_used(
    program: Program, telegram: FakeTelegram
) -> None:
    assert program.call("getMe").status == 200
    telegram.drop_connections()
    assert program.call("getMe").status == 200
