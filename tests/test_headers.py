"""Every answer to a browser says what the browser may do with it."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

SELF_ALONE = {"'self'"}
ADDRESSES = [
    "/",
    "/auth/sign-in",
    "/auth/setup/wrong",
    "/dashboard/",
    "/docs/",
    "/docs/openapi.json",
    "/nothing-here",
    "/dashboard/nothing-here",
    "/static/css/tgm.css",
    "/static/css/icon.svg",
    "/static/nothing.css",
    "/bootstrap/static/icons/bootstrap-icons.svg",
    "/assets/htmx/htmx.min.js",
]


def policy(text: str) -> dict[str, set[str]]:
    """Return what each directive allows."""
    return {name: set(rest) for name, *rest in (part.split() for part in text.split(";"))}


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST"])
def test_each_answer_carries_them(client: FlaskClient, address: str, verb: str) -> None:
    headers = client.open(address, method=verb).headers
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Strict-Transport-Security" not in headers
    allowed = policy(headers["Content-Security-Policy"])
    assert allowed["default-src"] == SELF_ALONE
    assert allowed["img-src"] == SELF_ALONE | {"data:"}
    for name in ("object-src", "base-uri", "frame-ancestors"):
        assert allowed[name] == {"'none'"}
    # Whatever is not named falls back to `default-src`, so that nothing allows inline code.
    assert set(allowed) == {
        "default-src", "img-src", "object-src", "base-uri", "form-action", "frame-ancestors",
    }  # fmt: skip


def test_an_error_of_our_own_carries_them_too(app: Flask, client: FlaskClient) -> None:
    def broken() -> str:
        raise ZeroDivisionError

    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.view_functions["docs.index"] = broken
    answer = client.get("/docs/")
    assert answer.status_code == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_file_that_has_not_changed_carries_them_too(client: FlaskClient) -> None:
    first = client.get("/static/css/tgm.css")
    again = client.get("/static/css/tgm.css", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("address", ADDRESSES)
def test_behind_https_browsers_shall_stay_there(client: FlaskClient, address: str) -> None:
    answer = client.get(address, base_url="https://tgm.example.com")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("trusted", "promised"),
    [
        pytest.param(True, True, marks=pytest.mark.given(TRUSTED_PROXIES="1"), id="trusted"),
        pytest.param(False, False, id="not trusted"),
    ],
)
def test_the_proxy_in_front_tells_of_https_where_it_is_trusted(
    client: FlaskClient, trusted: bool, promised: bool
) -> None:
    answer = client.get("/auth/sign-in", headers={"X-Forwarded-Proto": "https"})
    assert ("Strict-Transport-Security" in answer.headers) is promised


def test_no_cache_keeps_a_page(signed_in: FlaskClient) -> None:
    for address in ("/dashboard/", "/auth/sign-in", "/dashboard/nothing-here", "/docs/"):
        assert signed_in.get(address).headers["Cache-Control"] == "no-store"
