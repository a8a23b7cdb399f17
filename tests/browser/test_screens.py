"""What holds for every screen, whatever it is about."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.inspecting import faults_of_contrast, faults_of_structure, faults_of_width
from tests.browser.screens import open_screen, screens
from tests.browser.steps import sign_in
from tests.browser.stock import Stock
from tests.browser.windows import Windows
from tests.fakes.serving import Served
from tgm.auth import setup_link

NARROW: ViewportSize = {"width": 360, "height": 740}


def faults(page: Page, addresses: list[str], *inspect: Callable[[Page], list[str]]) -> list[str]:
    found = []
    for address in addresses:
        open_screen(page, address)
        for ask in inspect:
            found += [f"{address}: {fault}" for fault in ask(page)]
    return found


def in_both_schemes(page: Page) -> list[str]:
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {fault}" for fault in faults_of_contrast(page)]
    return found


def test_each_has_a_heading_a_title_labels_and_its_language(
    app: Flask, stock: Stock, owners: Page
) -> None:
    assert faults(owners, screens(app, stock.values), faults_of_structure) == []


def test_each_can_be_read_in_both_colour_schemes(app: Flask, stock: Stock, owners: Page) -> None:
    # A colour on its way to another one has no contrast yet.
    owners.emulate_media(reduced_motion="reduce")
    assert faults(owners, screens(app, stock.values), in_both_schemes) == []


@pytest.mark.parametrize("width", [360, 1024])
def test_none_scrolls_sideways(app: Flask, stock: Stock, owners: Page, width: int) -> None:
    owners.set_viewport_size({"width": width, "height": 740})
    assert faults(owners, screens(app, stock.values), faults_of_width) == []


def test_a_strangers_screens_are_no_worse(app: Flask, page: Page, served: Served) -> None:
    addresses = [setup_link.path(app), "/auth/sign-in", "/docs/", "/docs/reference"]
    page.emulate_media(reduced_motion="reduce")
    assert faults(page, addresses, faults_of_structure, in_both_schemes) == []
    page.set_viewport_size(NARROW)
    assert faults(page, addresses, faults_of_width) == []


def test_a_new_team_is_told_what_to_do_first(owners_of_nothing: Page) -> None:
    page = owners_of_nothing
    page.emulate_media(reduced_motion="reduce")
    addresses = ["/dashboard/", "/dashboard/bots", "/dashboard/api-keys", "/dashboard/requests"]
    assert faults(page, addresses, faults_of_structure, in_both_schemes) == []
    page.goto("/dashboard/")
    expect(page.get_by_role("link", name="Add a bot")).to_be_visible()


def test_the_navigation_works_on_a_telephone(windows: Windows, stock: Stock) -> None:
    page = windows.open(viewport=NARROW, has_touch=True)
    sign_in(page, stock.owner.email)
    for name in ("Bots", "API keys", "Requests", "People", "Audit log"):
        page.get_by_role("navigation").get_by_role("link", name=name).tap()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        current = page.get_by_role("navigation").locator("[aria-current=page]")
        expect(current).to_have_text(name)
    page.locator("header summary").tap()
    page.get_by_role("link", name="Account").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")


def test_the_switch_changes_the_language_and_back(owners: Page) -> None:
    owners.goto("/dashboard/people?kept=1")
    owners.get_by_role("button", name="Bahasa Indonesia").click()
    expect(owners.locator("html")).to_have_attribute("lang", "id")
    expect(owners.get_by_role("heading", level=1)).to_have_text("Pengguna")
    expect(owners).to_have_url("/dashboard/people?kept=1")
    owners.get_by_role("button", name="English").click()
    expect(owners.locator("html")).to_have_attribute("lang", "en")
    expect(owners.get_by_role("heading", level=1)).to_have_text("People")


def test_each_screen_is_in_indonesian_too(app: Flask, stock: Stock, owners: Page) -> None:
    owners.get_by_role("button", name="Bahasa Indonesia").click()
    expect(owners.locator("html")).to_have_attribute("lang", "id")
    owners.set_viewport_size(NARROW)

    def structure(page: Page) -> list[str]:
        return faults_of_structure(page, "id")

    assert faults(owners, screens(app, stock.values), structure, faults_of_width) == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_page_follows_the_systems_colours(
    windows: Windows, served: Served, scripts: bool
) -> None:
    page = windows.open(java_script_enabled=scripts)
    page.goto("/auth/sign-in")
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        body = page.locator("body")
        colours.append(body.evaluate("body => getComputedStyle(body).backgroundColor"))
    assert colours[0] != colours[1]


def test_whatever_has_the_focus_shows_it(owners: Page) -> None:
    owners.goto("/dashboard/api-keys/new")
    owners.locator("body").press("Tab")
    unseen = []
    for _ in range(25):
        name, outline = owners.evaluate(
            """() => {
              const style = getComputedStyle(document.activeElement);
              const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
              const name = document.activeElement.outerHTML.slice(0, 100);
              return [name, seen || document.activeElement === document.body];
            }"""
        )
        if not outline:
            unseen.append(name)
        owners.keyboard.press("Tab")
    assert unseen == []
