"""What holds for every screen, whatever it is about."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.axe import VIEWS
from tests.browser.inspecting import faults_of_structure, faults_of_width
from tests.browser.screens import open_screen, screens
from tests.browser.steps import sign_in
from tests.browser.stock import Stock
from tests.browser.windows import Windows
from tests.fakes.serving import Served
from tgm.auth import setup_link

NARROW: ViewportSize = {"width": 360, "height": 740}
TEXT_FIELDS = "input:is([type=text], [type=email], [type=password], [type=url]), textarea"

Look = Callable[[Page], list[str]]
Barriers = Callable[..., list[str]]


def look_at(page: Page, addresses: list[str], *inspect: Look) -> None:
    """Open each address and expect that nobody finds a fault."""
    found = []
    for address in addresses:
        open_screen(page, address)
        for ask in inspect:
            found += [f"{address}: {fault}" for fault in ask(page)]
    assert found == [], "\n".join(found)


def width(page: Page) -> list[str]:
    """Look at a page on a telephone and on a small laptop."""
    found = []
    for wide in (360, 1024):
        page.set_viewport_size({"width": wide, "height": 740})
        found += [f"{wide} wide: {fault}" for fault in faults_of_width(page)]
    return found


def test_each_has_a_heading_a_title_and_labels_and_fits_its_window(
    app: Flask, stock: Stock, owners: Page
) -> None:
    look_at(owners, screens(app, stock.values), faults_of_structure, width)


def test_each_is_in_indonesian_too(app: Flask, stock: Stock, owners: Page) -> None:
    owners.get_by_role("button", name="Bahasa Indonesia").click()
    expect(owners.locator("html")).to_have_attribute("lang", "id")

    def structure(page: Page) -> list[str]:
        return faults_of_structure(page, "id")

    look_at(owners, screens(app, stock.values), structure, width)


def test_none_has_a_barrier_in_either_theme(
    app: Flask, stock: Stock, owners: Page, barriers: Barriers
) -> None:
    def in_all_views(page: Page) -> list[str]:
        return barriers(page, VIEWS)

    look_at(owners, screens(app, stock.values), in_all_views)


def test_a_strangers_screens_are_no_worse(
    app: Flask, page: Page, served: Served, barriers: Barriers
) -> None:
    addresses = [setup_link.path(app), "/auth/sign-in", "/docs/", "/docs/reference"]
    look_at(page, addresses, faults_of_structure, width, barriers)


def test_nor_are_those_of_a_team_that_has_nothing_yet(
    app: Flask, owners_of_nothing: Page, barriers: Barriers
) -> None:
    page = owners_of_nothing
    look_at(page, screens(app, None), faults_of_structure, width, barriers)


def test_nor_are_forms_that_come_back(
    app: Flask, stock: Stock, owners: Page, barriers: Barriers
) -> None:
    found, refused = [], 0
    for address in screens(app, stock.values):
        open_screen(owners, address)
        if not send_empty(owners):
            continue
        refused += 1
        found += [f"{address}: {fault}" for fault in faults_of_structure(owners)]
        found += [f"{address}: {fault}" for fault in barriers(owners)]
    assert found == [], "\n".join(found)
    assert refused > 5


def send_empty(page: Page) -> bool:
    """Send the screen's first form that asks for a text, without one; say whether it came back."""
    form = page.locator("main form[method=post]").filter(has=page.locator(TEXT_FIELDS)).first
    if form.count() == 0:
        return False
    with page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        form.evaluate(
            """(form, fields) => {
              form.noValidate = true;
              for (const field of form.querySelectorAll(fields)) field.value = "";
              form.requestSubmit();
            }""",
            TEXT_FIELDS,
        )
    if sent.value.status != 422:
        page.wait_for_load_state()
        return False
    page.locator("[aria-invalid=true], .alert-danger").first.wait_for()
    return True


OPENED = [
    ("/dashboard/audit", "header summary", "header details[open] a"),
    ("/dashboard/deliveries", "a[data-detail]", "#panel-heading"),
    ("/dashboard/requests", "a[data-detail]", "#panel-heading"),
]


@pytest.mark.parametrize(("address", "opener", "opened"), OPENED, ids=["menu", "update", "call"])
def test_nor_is_what_opens_on_a_screen(
    stock: Stock, owners: Page, barriers: Barriers, address: str, opener: str, opened: str
) -> None:
    open_screen(owners, address)
    owners.locator(opener).first.click()
    owners.locator(opened).first.wait_for()
    found = faults_of_structure(owners) + width(owners) + barriers(owners)
    assert found == [], "\n".join(found)


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
