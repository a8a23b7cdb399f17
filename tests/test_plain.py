"""Plain requests mean here what they mean to waitress, and everything else is left to it."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from tgm import plain
from tgm.connections import RequestParser, Task

ADDRESS = "192.0.2.7"
HEAD = b"POST /api/v1/bots/x/getMe?a=1 HTTP/1.1\r\nHost: x\r\n"


def by_waitress(data: bytes) -> dict[str, Any] | None:
    """Return the environ that an application would see, None where it would see none or more."""
    parser = RequestParser(Adjustments())
    while data and not parser.completed:
        data = data[parser.received(data) :]
    if data or not parser.completed or parser.error:
        return None
    server = SimpleNamespace(adj=Adjustments(), effective_port=80, server_name="x")
    channel = SimpleNamespace(addr=(ADDRESS, 1), server=server, check_client_disconnected=None)
    environ: dict[str, Any] = Task(channel, parser).get_environment()
    return environ


def content(environ: dict[str, Any]) -> dict[str, Any]:
    return {**environ, "wsgi.input": environ["wsgi.input"].read()}


TOKENS = st.text("ABCxyz019-_!", min_size=1, max_size=8)
NAMES = st.one_of(
    TOKENS,
    st.sampled_from(
        ["Content-Length", "content-type", "X-API-Key", "Transfer-Encoding", "Expect", "Host",
         "Connection", "Upgrade", "X-Forwarded-For", "Idempotency-Key"]
    ),
)  # fmt: skip
VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n"), max_size=12),
    st.sampled_from(["3", "0", "chunked", "100-continue", "close", "keep-alive", " a ", "\ta"]),
)
TARGETS = st.text("/abcB%2Ff?#=&:.~;é ", max_size=20).map(lambda text: "/" + text)


def mostly(usual: str, *unusual: str) -> st.SearchStrategy[str]:
    return st.sampled_from([usual] * 6 + list(unusual))


@given(
    verb=mostly("POST", "GET", "PUT", "post", "HEAD", "CONNECT"),
    target=TARGETS,
    version=mostly("HTTP/1.1", "HTTP/1.0", "HTTP/1.1 ", "http/1.1"),
    headers=st.lists(st.tuples(NAMES, mostly(": ", ":", " :"), VALUES), max_size=4),
    end=mostly("\r\n", "\n"),
    body=st.binary(max_size=6),
    length=st.sampled_from(["right", "right", "wrong", "none"]),
)
def test_what_is_plain_means_the_same_to_waitress(
    verb: str,
    target: str,
    version: str,
    headers: list[tuple[str, str, str]],
    end: str,
    body: bytes,
    length: str,
) -> None:
    lines = [f"{verb} {target} {version}", *["".join(header) for header in headers]]
    if length != "none":
        lines.append(f"Content-Length: {len(body) + (length == 'wrong')}")
    data = end.join([*lines, "", ""]).encode("latin-1") + body
    found = plain.read(data, ADDRESS)
    event("plain" if found else "unfinished" if found is plain.UNFINISHED else "left to waitress")
    if found is plain.UNFINISHED:
        assert by_waitress(data) is None
    elif found is not None:
        expected = by_waitress(data)
        assert expected is not None, data
        expected = content(expected)
        assert content(found) == {name: expected[name] for name in found}
        # Nor is anything left out that the caller has said.
        said = {name for name in expected if name.startswith(("HTTP_", "CONTENT_"))}
        assert said <= found.keys()


def test_a_usual_call_is_plain() -> None:
    data = HEAD + b"X-API-Key: k\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    found = plain.read(data, ADDRESS)
    assert found is not None
    assert found["wsgi.input"].read() == b"{}"
    assert (found["REQUEST_METHOD"], found["REQUEST_URI"]) == ("POST", "/api/v1/bots/x/getMe?a=1")
    assert (found["PATH_INFO"], found["QUERY_STRING"]) == ("/api/v1/bots/x/getMe", "a=1")
    assert (found["HTTP_X_API_KEY"], found["REMOTE_ADDR"]) == ("k", ADDRESS)


@pytest.mark.parametrize("body", [b"", b"ab"])
def test_a_body_may_be_still_to_come(body: bytes) -> None:
    assert plain.read(HEAD + b"Content-Length: 3\r\n\r\n" + body, ADDRESS) is plain.UNFINISHED


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 70000\r\n\r\nab",
        HEAD + b"Content-Length: 1\r\n\r\nab",
        HEAD + b"\r\nGET /next HTTP/1.1\r\n\r\n",
        HEAD,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\n",
        HEAD + b"X-A: 1\r\nx-a: 2\r\n\r\n",
        HEAD + b"X_API_Key: k\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        HEAD + b"Content-Length: +1\r\n\r\na",
        HEAD + b" folded\r\n\r\n",
        HEAD.replace(b"\r\n", b"\n") + b"\n",
        b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"x" * 70_000,
    ],
)
def test_what_is_unusual_is_left_to_waitress(data: bytes) -> None:
    assert plain.read(data, ADDRESS) is None
