"""Files that pages need go out small, and once."""

import gzip
import re

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.fakes.serving import Served
from tgm.settings import PROJECT

FILES = [
    ("static", "css/tgm.css", "text/css"),
    ("static", "css/icon.svg", "image/svg+xml"),
    ("static", "js/tgm.js", "text/javascript"),
    ("bootstrap.static", "css/bootstrap.min.css", "text/css"),
    ("bootstrap.static", "icons/bootstrap-icons.svg", "image/svg+xml"),
    ("htmx.static", "htmx.min.js", "text/javascript"),
]
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def address(app: Flask, endpoint: str, filename: str) -> str:
    with app.test_request_context():
        return url_for(endpoint, filename=filename)


@pytest.fixture
def style(app: Flask) -> str:
    return address(app, "static", "css/tgm.css")


@pytest.mark.parametrize(("endpoint", "filename", "kind"), FILES)
def test_each_kind_goes_out_compressed_to_whoever_takes_that(
    app: Flask, client: FlaskClient, endpoint: str, filename: str, kind: str
) -> None:
    at = address(app, endpoint, filename)
    plain, packed = client.get(at), client.get(at, headers=GZIP)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data)
    for answer in (plain, packed):
        assert answer.status_code == 200
        assert answer.mimetype == kind
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.content_length == len(answer.data)
    assert plain.headers["ETag"] != packed.headers["ETag"]


@pytest.mark.parametrize("refusing", ["", "identity", "gzip;q=0", "br"])
def test_whoever_does_not_take_gzip_gets_none(
    client: FlaskClient, style: str, refusing: str
) -> None:
    answer = client.get(style, headers={"Accept-Encoding": refusing})
    assert "Content-Encoding" not in answer.headers
    assert answer.data == (PROJECT / "static/css/tgm.css").read_bytes()


def test_what_is_asked_for_by_its_version_is_kept_for_a_year(
    client: FlaskClient, style: str
) -> None:
    assert client.get(style).headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("other", ["", "?v=", "?v=0123456789ab"])
def test_another_version_is_asked_about_each_time(
    client: FlaskClient, style: str, other: str
) -> None:
    answer = client.get(style.partition("?")[0] + other)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, no-cache"


def test_whoever_has_it_already_is_told_so(client: FlaskClient, style: str) -> None:
    for headers in ({}, GZIP):
        first = client.get(style, headers=headers)
        again = client.get(style, headers={**headers, "If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        for name in ("ETag", "Vary", "Cache-Control"):
            assert again.headers[name] == first.headers[name]


def test_one_form_does_not_pass_for_the_other(client: FlaskClient, style: str) -> None:
    packed = client.get(style, headers=GZIP)
    answer = client.get(style, headers={"If-None-Match": packed.headers["ETag"]})
    assert answer.status_code == 200


def test_head_tells_the_length_and_sends_nothing(served: Served, style: str) -> None:
    for headers in ({}, GZIP):
        whole, head = (served.call(verb, style, headers=headers) for verb in ("GET", "HEAD"))
        assert head.body == b""
        for name in ("Content-Length", "Content-Type", "ETag", "Vary", "Content-Encoding"):
            assert head.headers.get(name) == whole.headers.get(name)


@pytest.mark.parametrize(
    "path",
    [
        "/static/nothing.css",
        "/static/css",
        "/static/../tgm/assets.py",
        "/static/%2e%2e/tgm/assets.py",
        "/static//etc/passwd",
        "/bootstrap/static/css/nothing.css",
        "/assets/htmx/nothing.js",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in {308, 404}


def test_a_stranger_gets_no_cookie_with_a_file(client: FlaskClient, style: str) -> None:
    assert "Set-Cookie" not in client.get(style).headers


def test_the_sprite_holds_every_icon_that_a_template_names(app: Flask, client: FlaskClient) -> None:
    named = {
        name
        for path in (PROJECT / "templates").rglob("*.html")
        for name in re.findall(r'\b(?:icon|empty_state)\("([^"]+)"', path.read_text())
    }
    assert len(named) > 10
    assert named - ids(sprite(app, client)) == set(), "Bootstrap has no icon of this name"


def test_the_sprite_is_small_and_shows_what_it_holds(app: Flask, client: FlaskClient) -> None:
    answer = sprite(app, client)
    assert len(answer.data) < 100_000
    assert "telegram" in ids(answer)
    assert "0-circle" not in ids(answer)
    assert answer.text.startswith("<svg xmlns=")
    assert answer.text.count("<symbol") == answer.text.count("</symbol>") == len(ids(answer))


def sprite(app: Flask, client: FlaskClient) -> TestResponse:
    return client.get(address(app, "bootstrap.static", "icons/bootstrap-icons.svg"))


def ids(answer: TestResponse) -> set[str]:
    return set(re.findall(r' id="([^"]+)"', answer.text))
