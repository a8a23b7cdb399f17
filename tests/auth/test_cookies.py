"""The session cookie's flags."""

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from flask.testing import FlaskClient

from tests.browsing import sign_in
from tests.making import PASSWORD
from tgm.auth.service import Person
from tgm.shared.clock import utcnow

HTTPS = {"X-Forwarded-Proto": "https"}


def test_it_is_kept_for_two_weeks_and_yet_bound_to_one_browser(
    client: FlaskClient, owner: Person
) -> None:
    cookie = sign_in(client, owner.email, PASSWORD).headers["Set-Cookie"]
    expires = parsedate_to_datetime(re.findall("Expires=([^;]+)", cookie)[0])
    assert timedelta(days=13) < expires - utcnow() <= timedelta(days=14)
    with client.session_transaction() as session:
        # Flask-Login does not protect permanent sessions.
        assert not session.permanent


def flags(client: FlaskClient, headers: dict[str, str]) -> set[str]:
    cookie = client.get("/auth/sign-in", headers=headers).headers["Set-Cookie"]
    assert cookie.startswith("tgm_session=")
    return {part.strip() for part in cookie.split(";")[1:]}


def test_no_script_reads_it_and_no_other_site_sends_it(client: FlaskClient) -> None:
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= flags(client, {})


@pytest.mark.given(TRUSTED_PROXIES="1")
def test_behind_https_it_is_secure(client: FlaskClient) -> None:
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= flags(client, HTTPS)


@pytest.mark.given(TRUSTED_PROXIES="1")
def test_without_https_it_is_not_or_nobody_could_sign_in(client: FlaskClient) -> None:
    assert "Secure" not in flags(client, {})


def test_a_stranger_cannot_claim_https(client: FlaskClient) -> None:
    assert "Secure" not in flags(client, HTTPS)
