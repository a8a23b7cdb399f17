"""Photographs every screen, light and dark, wide and narrow: `make screenshots`."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask
from playwright.sync_api import Page

from tests.browser.axe import VIEWS
from tests.browser.screens import open_screen, screens
from tests.browser.steps import sign_in, sign_out
from tests.browser.stock import make_stock
from tests.browser.windows import Windows, launched
from tests.fakes.serving import Served, serving
from tests.fakes.telegram import FakeTelegram
from tests.making import PASSWORD
from tgm import create_app, database
from tgm.audit.service import COMMAND_LINE
from tgm.auth import service, setup_link
from tgm.extensions import runtime
from tgm.settings import PROJECT, Settings

FOLDER = PROJECT / "instance" / "screenshots"
OWNER = "ani@example.com"


class Album:
    """Photographs one window, four times each screen."""

    def __init__(self, page: Page, folder: Path) -> None:
        self._page = page
        self._folder = folder

    def take(self, name: str) -> None:
        """Photograph what the window shows, in themes of the system and of the switch."""
        for view in VIEWS:
            view.show(self._page)
            path = self._folder / f"{name}-{view.width}-{view.seen}.png"
            self._page.screenshot(path=path, full_page=True)
        VIEWS[0].show(self._page)


def photograph(app: Flask, page: Page, telegram: FakeTelegram) -> None:
    """Go through the whole application."""
    album = Album(page, FOLDER)
    _before_anything(app, page, album)
    owner = service.set_up(OWNER, PASSWORD, "Toko Ani", COMMAND_LINE)
    sign_in(page, OWNER)
    for name in ("", "bots", "api-keys", "deliveries", "requests", "test-send", "audit"):
        open_screen(page, f"/dashboard/{name}")
        album.take(f"empty-{name or 'home'}")
    stock = make_stock(owner, telegram)
    named = {value: name.removesuffix("_id") for name, value in stock.values.items()}
    for address in screens(app, stock.values):
        open_screen(page, address)
        parts = [named.get(part, part) for part in address.strip("/").split("/")]
        album.take("-".join(parts))
    page.goto(f"/auth/invite/{stock.invitation}")
    album.take("join")
    _answers(page, album)
    _tried(page, album)
    sign_out(page)
    page.goto(f"/auth/invite/{stock.invitation}")
    album.take("invitation")


def _before_anything(app: Flask, page: Page, album: Album) -> None:
    page.goto("/auth/sign-in")
    album.take("sign-in-of-nobody")
    page.goto(setup_link.path(app))
    album.take("set-up")


def _answers(page: Page, album: Album) -> None:
    """Photograph what only a form leads to: notices, refusals, and what is shown once."""
    page.goto("/dashboard/bots/add")
    page.get_by_label("Token", exact=True).fill("hello")
    page.get_by_role("button", name="Add the bot").click()
    page.locator("#token-error").wait_for()
    album.take("refused")
    page.goto("/dashboard/api-keys/new")
    page.get_by_label("Name", exact=True).fill("Kasir")
    page.get_by_role("button", name="Make the key").click()
    page.locator("#new-key").wait_for()
    album.take("key-made")
    page.goto("/dashboard/people/invite")
    page.get_by_role("button", name="Make the link").click()
    page.locator("#invitation-link").wait_for()
    album.take("invited")
    page.goto("/dashboard/people")
    page.get_by_role("button", name="Revoke").first.click()
    page.locator(".alert").wait_for()
    album.take("notice")
    page.locator("header summary").click()
    album.take("menu")
    page.goto("/dashboard/requests?method=banPerson")
    album.take("nothing-found")
    page.goto("/docs/nothing-here")
    album.take("error")
    page.goto("/dashboard")


def _tried(page: Page, album: Album) -> None:
    """Photograph a call and its answer, and what opens beside a list."""
    page.goto("/dashboard/test-send")
    page.get_by_label("Chat", exact=True).fill("523067421")
    page.get_by_label("Text", exact=True).fill("Your *order* is on its way.")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("#answer .answer-body").wait_for()
    album.take("test-send-answer")
    for name in ("deliveries", "requests"):
        page.goto(f"/dashboard/{name}")
        page.locator("a[data-detail]").first.click()
        page.locator("#panel-heading").wait_for()
        album.take(f"{name}-opened")
    page.goto("/dashboard")


def main() -> None:
    """Make an application of its own, with a Telegram of its own, and go through it."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("There is no chromium: install Debian's package of that name.")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with TemporaryDirectory() as instance, FakeTelegram() as telegram, ExitStack() as stack:
        given = {"INSTANCE_PATH": instance, "TELEGRAM_API_BASE_URL": telegram.url, "PORT": "0"}
        app = create_app(Settings.load(given, dotenv=None))
        database.migrate(app)
        stack.callback(database.close, app)
        stack.enter_context(app.app_context())
        stack.callback(runtime.telegram.close)
        served: Served = stack.enter_context(serving(app))
        browser = stack.enter_context(launched(program))
        photograph(app, Windows(browser, served.url, stack).open(), telegram)
    print(f"{len(list(FOLDER.iterdir()))} screenshots are in {FOLDER}")


if __name__ == "__main__":
    main()
