"""The guard before every screen."""

from flask.testing import FlaskClient


def test_a_stranger_is_sent_to_the_sign_in_and_comes_back(client: FlaskClient) -> None:
    answer = client.get("/dashboard/bots?a=b")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/auth/sign-in?next=")


def test_a_part_of_a_page_that_renews_itself_after_the_sessions_end_leads_the_page_away(
    client: FlaskClient,
) -> None:
    answer = client.get("/dashboard/requests", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.text) == (401, "")
    assert answer.headers["HX-Redirect"] == "/auth/sign-in"


def test_the_bare_address_leads_to_the_dashboard(client: FlaskClient) -> None:
    assert client.get("/").headers["Location"] == "/dashboard/"


def test_the_home_screen_says_what_to_do_first(signed_in: FlaskClient) -> None:
    page = signed_in.get("/dashboard/")
    assert page.status_code == 200
    assert "/dashboard/bots" in page.text
