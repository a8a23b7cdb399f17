"""The watch over the windows is awake."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Error

from tests.browser.windows import Windows
from tests.fakes.serving import Served


@pytest.fixture
def careless(chromium: Browser, served: Served) -> Iterator[Windows]:
    """Windows that may complain."""
    with ExitStack() as stack:
        yield Windows(chromium, served.url, stack)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("console.error('it broke')", "it broke"),
        ("setTimeout(() => { throw new Error('nobody caught it') })", "nobody caught it"),
        ("document.body.innerHTML = '<p style=\"color: red\">red</p>'", "style-src"),
        ("document.body.innerHTML = '<img src=\"http://192.0.2.1/x.png\">'", "img-src"),
    ],
)
def test_a_window_complains_of_what_goes_wrong_in_it(
    careless: Windows, wrong: str, complaint: str
) -> None:
    page = careless.open()
    page.goto("/auth/sign-in")
    page.evaluate(wrong)
    careless.wait_for_complaint(page, complaint)


def test_a_window_complains_of_another_host_and_does_not_get_there(careless: Windows) -> None:
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        careless.open().goto("http://192.0.2.1/")
    assert "another host: http://192.0.2.1/" in careless.complaints
