"""A real browser, watched: what it complains of fails the test."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.stock import Stock
    from tests.browser.windows import Windows
    from tests.fakes.serving import Served
    from tests.fakes.telegram import FakeTelegram
    from tgm.auth.service import Person

PROGRAM = shutil.which("chromium")
HERE = Path(__file__).parent


def _lacking() -> str:
    """Say what is missing for a browser, "" when nothing is."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed: it is in tests/requirements.txt"
    if PROGRAM is None:
        return "there is no chromium: install Debian's package of that name"
    return ""


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Skip what needs a browser where there is none, unless the environment forbids that."""
    reason = _lacking()
    if not reason or module_path.parent != HERE:
        return None

    class Without(pytest.Module):
        def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
            if os.environ.get("TGM_REQUIRE_BROWSER") == "1":
                pytest.fail(f"TGM_REQUIRE_BROWSER is set, and {reason}", pytrace=False)
            pytest.skip(reason)

    return Without.from_parent(parent, path=module_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; each opens windows of its own in it."""
    from tests.browser.windows import launched

    with launched(PROGRAM or "") as browser:
        yield browser


@pytest.fixture
def windows(chromium: Browser, served: Served) -> Iterator[Windows]:
    """Opens windows that share no cookies. At the end, none may have complained."""
    from tests.browser.windows import Windows

    with ExitStack() as stack:
        opened = Windows(chromium, served.url, stack)
        yield opened
    assert opened.complaints == []


@pytest.fixture
def page(windows: Windows) -> Page:
    """A window in which nobody has signed in."""
    return windows.open()


@pytest.fixture(scope="session")
def barriers() -> Callable[..., list[str]]:
    """Ask axe-core about a page."""
    from tests.browser import axe

    if not axe.SCRIPT.exists():
        reason = "axe-core is not there: `make test` installs it by npm"
        if os.environ.get("TGM_REQUIRE_BROWSER") == "1":
            pytest.fail(f"TGM_REQUIRE_BROWSER is set, and {reason}", pytrace=False)
        pytest.skip(reason)
    return axe.barriers


@pytest.fixture
def stock(owner: Person, telegram: FakeTelegram) -> Stock:
    """A team that has been at work for a while."""
    from tests.browser.stock import make_stock

    return make_stock(owner, telegram)


@pytest.fixture
def owners(page: Page, stock: Stock) -> Page:
    """A window in which the owner of the stocked team has signed in."""
    from tests.browser.steps import sign_in

    sign_in(page, stock.owner.email)
    return page


@pytest.fixture
def owners_of_nothing(page: Page, owner: Person) -> Page:
    """A window in which the owner of a new team has signed in."""
    from tests.browser.steps import sign_in

    sign_in(page, owner.email)
    return page
