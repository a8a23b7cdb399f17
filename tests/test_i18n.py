"""How a page looks to its reader: theme and time zone."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import format_datetime, refresh
from hypothesis import given
from hypothesis import strategies as st

from tests.browsing import submit
from tgm.i18n import ZONE_COOKIE, aware, chosen_zone, written

NOON = datetime(2026, 5, 1, 12, 0)


@pytest.mark.parametrize(
    ("cookie", "zone", "utc_hour"),
    [
        ("Asia%2FJakarta", "Asia/Jakarta", 5),
        ("America/New_York", "America/New_York", 16),
        ("", "UTC", 12),
        ("Mars/Olympus", "UTC", 12),
        ("../../etc/passwd", "UTC", 12),
        ("%00", "UTC", 12),
    ],
)
def test_a_local_time_is_read_in_the_zone_that_the_browser_names(
    app: Flask, cookie: str, zone: str, utc_hour: int
) -> None:
    with app.test_request_context(headers={"Cookie": f"{ZONE_COOKIE}={cookie}"}):
        assert chosen_zone() == zone
        assert aware(NOON) == NOON.replace(hour=utc_hour, tzinfo=UTC)


def test_the_foot_names_the_zone(client: FlaskClient) -> None:
    assert "Times are in UTC." in client.get("/auth/sign-in").text
    client.set_cookie(ZONE_COOKIE, "Asia%2FMakassar")
    assert "Times are in Asia/Makassar." in client.get("/auth/sign-in").text


def test_times_are_written_in_the_readers_zone(signed_in: FlaskClient) -> None:
    utc = signed_in.get("/dashboard/people").text
    signed_in.set_cookie(ZONE_COOKIE, "Pacific/Kiritimati")
    assert signed_in.get("/dashboard/people").text != utc


@pytest.mark.parametrize("pattern", ["full", "d MMM y, HH:mm:ss"])
def test_each_reader_has_a_time_written_for_them(app: Flask, pattern: str) -> None:
    when = NOON.replace(microsecond=5, tzinfo=UTC)
    seen = set()
    for language in ("en", "id"):
        for zone in ("Asia%2FJakarta", "UTC"):
            headers = {"Cookie": f"{ZONE_COOKIE}={zone}", "Accept-Language": language}
            with app.test_request_context(headers=headers):
                refresh()
                assert written(when, pattern) == format_datetime(when, pattern)
                seen.add(written(when, pattern))
    assert len(seen) == 4


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
def test_a_theme_holds_and_returns_to_the_page(client: FlaskClient, theme: str) -> None:
    answer = submit(client, "/auth/sign-in", "/auth/theme", theme=theme, next="/docs/")
    assert answer.location == "/docs/"
    assert f'data-theme="{theme}"' in client.get("/auth/sign-in").text


def test_a_made_up_theme_changes_nothing(client: FlaskClient) -> None:
    submit(client, "/auth/sign-in", "/auth/theme", theme='"><script>', next="//evil.example")
    page = client.get("/auth/sign-in").text
    assert 'data-theme="system"' in page
    assert "<script>" not in page


@given(st.text(max_size=40))
def test_no_cookie_ends_in_an_error(text: str) -> None:
    app = Flask("any")
    with app.test_request_context(headers={"Cookie": f"{ZONE_COOKIE}={quote(text)}"}):
        assert isinstance(chosen_zone(), str)
