"""Sending to addresses that a team has named."""

import ssl
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from tests.fakes.certificate import make_certificate
from tests.fakes.receiver import Receiver, answers, breaks_off, drips, hangs, redirects
from tgm.security.outbound import Failed, Outbound, OutboundFailed, Received, UrlRefused

LOOPBACK = (ip_network("127.0.0.0/8"),)
PUBLIC = "93.184.215.14"
PRIVATE = (
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",  # noqa: S104 - refused
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def outbound() -> Iterator[Outbound]:
    outbound = Outbound(LOOPBACK, total_seconds=0.5)
    yield outbound
    outbound.close()


def resolving(*addresses: str) -> Outbound:
    """A way out for which every name leads to `addresses`."""
    return Outbound((), resolve=lambda _host, _port: addresses)


def failure(outbound: Outbound, url: str) -> str:
    with pytest.raises(OutboundFailed) as raised:
        outbound.post(url, {}, b"{}")
    return raised.value.kind


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_refused_at_saving_and_at_sending(address: str) -> None:
    outbound = resolving(address)
    with pytest.raises(UrlRefused) as raised:
        outbound.check("https://hooks.example.com/")
    assert raised.value.field == "url"
    assert failure(outbound, "https://hooks.example.com/") == Failed.ADDRESS


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f::1", f"64:ff9b::{0x5DB8:x}:{0xD70E:x}"])
def test_a_public_address_is_taken(address: str) -> None:
    assert resolving(address).check("https://hooks.example.com/") is None


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(UrlRefused):
        resolving(PUBLIC, "10.0.0.1").check("https://hooks.example.com/")


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]"])
def test_every_way_to_write_an_address_is_seen_through(host: str) -> None:
    outbound = Outbound(())
    with pytest.raises(UrlRefused):
        outbound.check(f"https://{host}/")
    assert failure(outbound, f"https://{host}/") == Failed.ADDRESS


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "https://",
        "example.com/hook",
        "https://user:password@example.com/",
        "https://@example.com/",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Evil: 1",
        "https://[::1/",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused) as raised:
        resolving(PUBLIC).check(url)
    assert "password" not in str(raised.value).replace("user name and password", "")
    assert failure(resolving(PUBLIC), url) == Failed.ADDRESS


def test_plain_http_is_for_the_allowed_networks_alone() -> None:
    with pytest.raises(UrlRefused):
        resolving(PUBLIC).check("http://hooks.example.com/")
    lan = Outbound((ip_network("10.0.0.0/8"),), resolve=lambda host, _: [host])
    assert lan.check("http://10.1.2.3/") is None
    assert lan.check("https://10.1.2.3/") is None
    for url in (f"http://{PUBLIC}/", "http://192.168.1.1/", "https://192.168.1.1/"):
        with pytest.raises(UrlRefused):
            lan.check(url)
    assert failure(lan, f"http://{PUBLIC}/") == Failed.ADDRESS


def test_a_name_that_does_not_resolve_is_a_warning_only() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError

    outbound = Outbound((), resolve=unknown)
    assert "does not lead anywhere" in str(outbound.check("https://hooks.example.com/"))
    assert failure(outbound, "https://hooks.example.com/") == Failed.NAME


def test_a_resolver_that_hangs_is_left_behind() -> None:
    gate = threading.Event()

    def hang(_host: str, _port: int) -> list[str]:
        gate.wait(30)
        return [PUBLIC]

    outbound = Outbound((), connect_seconds=0.05, resolve=hang)
    assert outbound.check("https://hooks.example.com/") is not None
    assert failure(outbound, "https://hooks.example.com/") == Failed.TIMEOUT
    gate.set()


def test_a_name_that_changes_its_mind_gets_nothing(receiver: Receiver) -> None:
    """First public, to be saved; then loopback, to be sent to."""
    turns = iter([[PUBLIC], ["127.0.0.1"]])
    outbound = Outbound((), resolve=lambda _host, _port: next(turns))
    url = f"https://rebind.example.com:{receiver.port}/"
    assert outbound.check(url) is None
    assert failure(outbound, url) == Failed.ADDRESS
    assert receiver.connections == 0


def test_the_name_is_resolved_once_and_the_checked_address_connected_to(receiver: Receiver) -> None:
    asked = []

    def look(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    # No resolver knows this name, so only the address that was handed over can be meant.
    outbound = Outbound(LOOPBACK, resolve=look)
    url = f"http://hooks.invalid:{receiver.port}/a?b=c#d"
    outbound.post(url, {"X-One": "1"}, b"\x00\xff")
    [got] = receiver.requests
    assert asked == ["hooks.invalid"]
    assert got.headers["host"] == f"hooks.invalid:{receiver.port}"
    assert (got.target, got.body, got.headers["x-one"]) == ("/a?b=c", b"\x00\xff", "1")
    outbound.close()


def test_redirects_are_not_followed(outbound: Outbound, receiver: Receiver) -> None:
    receiver.replies(redirects(receiver.url))
    received = outbound.post(receiver.url, {}, b"{}")
    assert received.status == 302
    assert len(receiver.requests) == 1


def test_the_answer_comes_back_with_the_start_of_its_body(
    outbound: Outbound, receiver: Receiver
) -> None:
    receiver.replies(answers(503, b"x" * 5000, Retry_After="7"), answers(200, b"all of it"))
    received = outbound.post(receiver.url, {}, b"{}")
    assert (received.status, received.body, received.is_whole) == (503, b"x" * 4096, False)
    assert ("Retry-After", "7") in received.headers
    assert received.milliseconds >= 0
    received = outbound.post(receiver.url, {}, b"{}")
    assert (received.body, received.is_whole) == (b"all of it", True)


def test_connections_are_kept_alive_and_renewed(outbound: Outbound, receiver: Receiver) -> None:
    for _ in range(3):
        outbound.post(receiver.url, {}, b"{}")
    assert receiver.connections == 1
    receiver.drop_connections()
    assert outbound.post(receiver.url, {}, b"{}").status == 200
    assert receiver.connections == 2


def test_a_kept_connection_that_breaks_off_is_tried_once_more_anew(
    outbound: Outbound, receiver: Receiver
) -> None:
    receiver.replies(answers(), breaks_off(), answers(201))
    outbound.post(receiver.url, {}, b"{}")
    assert outbound.post(receiver.url, {}, b"{}").status == 201


def test_who_refuses_breaks_off_or_talks_something_else_is_told_apart(
    outbound: Outbound, receiver: Receiver
) -> None:
    receiver.replies(breaks_off(), breaks_off(b"HTTP/1.1 20"), breaks_off(b"SSH-2.0-x\r\n"))
    kinds = [failure(outbound, receiver.url) for _ in range(3)]
    assert kinds == [Failed.BROKEN, Failed.PROTOCOL, Failed.PROTOCOL]
    receiver.refuse()
    assert failure(outbound, receiver.url) == Failed.CONNECT
    assert failure(outbound, receiver.url.replace("http://", "https://")) == Failed.CONNECT


def timed(outbound: Outbound, url: str) -> tuple[Received | str, float]:
    begun = time.monotonic()
    try:
        result: Received | str = outbound.post(url, {}, b"{}")
    except OutboundFailed as error:
        result = error.kind
    return result, time.monotonic() - begun


def test_who_hangs_or_dribbles_its_head_is_given_up_in_time(
    outbound: Outbound, receiver: Receiver
) -> None:
    gate = threading.Event()
    receiver.replies(hangs(gate), drips(b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 1000))
    for _ in range(2):
        result, seconds = timed(outbound, receiver.url)
        assert result == Failed.TIMEOUT
        assert 0.4 < seconds < 3
    gate.set()


def test_a_body_without_end_costs_no_more_than_the_time_and_the_status_counts(
    outbound: Outbound, receiver: Receiver
) -> None:
    receiver.replies(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"x" * 9000))
    result, seconds = timed(outbound, receiver.url)
    assert isinstance(result, Received)
    assert (result.status, result.is_whole) == (200, False)
    assert seconds < 3


def test_a_certificate_that_is_not_trusted_ends_it(
    certificate_context: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, trusting = certificate_context
    with Receiver(tls=server) as receiver:
        assert failure(Outbound(LOOPBACK), receiver.url) == Failed.TLS
        outbound = Outbound(LOOPBACK, tls=trusting, resolve=lambda _host, _port: ["127.0.0.1"])
        assert outbound.post(receiver.url, {}, b"{}").status == 200
        # The certificate must be for the name in the URL, whatever the address.
        other = receiver.url.replace("127.0.0.1", "hooks.example.com")
        assert failure(outbound, other) == Failed.TLS
        outbound.close()


def test_nothing_about_the_url_is_in_an_error() -> None:
    error = OutboundFailed(Failed.CONNECT)
    assert str(error) == "connect"
    assert "example" not in repr(resolving(PUBLIC))


@pytest.fixture(scope="module")
def certificate_context(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server for 127.0.0.1 uses, and what trusts it."""
    path = make_certificate(tmp_path_factory.mktemp("tls"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))
