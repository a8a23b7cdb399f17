"""The shortcut in front of Flask's dispatch."""

from typing import Any

import pytest
from flask import Flask

from tests.proxy.conftest import Program
from tgm.front import Front, Route
from tgm.proxy.answers import ProxyAnswer


def answer_of(front: Front, verb: str, path: str) -> tuple[str, bytes]:
    statuses: list[str] = []
    environ = {"REQUEST_METHOD": verb, "PATH_INFO": path}
    body = front(environ, lambda status, _headers: statuses.append(status))  # type: ignore[arg-type]
    return statuses[0], b"".join(body)


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        ("POST", "/api/one", ("200 OK", b"front")),
        ("GET", "/api/one", ("200 OK", b"front")),
        ("PUT", "/api/one", ("404 Not Found", b"behind")),
        ("HEAD", "/api/one", ("404 Not Found", b"behind")),
        ("POST", "/apis", ("404 Not Found", b"behind")),
        ("GET", "/", ("404 Not Found", b"behind")),
    ],
)
def test_it_answers_plain_calls_and_hands_on_the_rest(
    verb: str, path: str, expected: tuple[str, bytes]
) -> None:
    def behind(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("404 Not Found", [])
        return [b"behind"]

    route = Route("/api/", lambda _environ: ProxyAnswer(200, [], [b"front"]), lambda _environ: None)
    front = Front(behind, [route])
    assert answer_of(front, verb, path) == expected


def test_a_call_does_not_enter_flask(app: Flask, program: Program) -> None:
    entered: list[str] = []
    app.before_request(lambda: entered.append("flask"))
    assert program.call("getMe").status == 200
    assert entered == []
    program.served.call("GET", "/docs/")
    assert entered
