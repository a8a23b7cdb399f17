"""The home screen while a person looks at it, and while nobody does."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import sign_in
from tests.browser.stock import Stock
from tests.browser.windows import Windows
from tests.fakes.serving import Served
from tests.webhook.rows import an_update, make_delivery, make_endpoint
from tgm.auth.service import Person
from tgm.shared.clock import utcnow

_HIDE = 'Object.defineProperty(document, "hidden", { configurable: true, get: () => %s })'
_LOOKED_AT = 'document.dispatchEvent(new Event("visibilitychange"))'
_TICK = 'document.getElementById("bot-cards").dispatchEvent(new CustomEvent("seen-again"))'


def is_home(url: str) -> bool:
    return "/dashboard/?" in url


def test_what_breaks_appears_by_itself_and_the_focus_stays(owners: Page, stock: Stock) -> None:
    owners.goto("/dashboard/")
    expect(owners.locator("#needs-said")).to_have_text("")
    owners.evaluate("window.same = true")
    focused = f"card-{stock.bot.id}"
    owners.locator(f"#{focused}").focus()
    make_endpoint(stock.bot.id, "Gudang", paused_because="gone")
    owners.evaluate(_LOOKED_AT)
    expect(owners.get_by_role("region", name="Needs a person")).to_contain_text(
        "Gudang answered 410"
    )
    expect(owners.locator("#needs-said")).to_contain_text("What needs a person has changed")
    assert owners.evaluate("document.activeElement.id") == focused
    assert owners.evaluate("window.same"), "the whole page was loaded again"


def test_nothing_is_asked_while_nobody_looks(owners: Page, stock: Stock) -> None:
    owners.goto("/dashboard/")
    asked: list[str] = []
    owners.on("request", lambda request: asked.append(request.url))
    owners.evaluate(_HIDE % "true")
    owners.evaluate(_TICK)
    assert [url for url in asked if is_home(url)] == []
    owners.evaluate(_HIDE % "false")
    with owners.expect_request(lambda request: is_home(request.url)):
        owners.evaluate(_LOOKED_AT)


def test_after_the_sessions_end_the_page_leads_to_the_sign_in(
    windows: Windows, owners: Page, stock: Stock
) -> None:
    owners.goto("/dashboard/")
    owners.context.clear_cookies()
    owners.evaluate(_LOOKED_AT)
    owners.wait_for_url(lambda url: "/auth/sign-in" in url)
    windows.wait_for_complaint(owners, "401")
    windows.forgive("401")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_broken_receiver_is_two_clicks_from_what_it_answers(
    windows: Windows, served: Served, stock: Stock, owner: Person, scripts: bool
) -> None:
    endpoint = make_endpoint(stock.bot.id, "Gudang", failing_since=utcnow(), last_error="HTTP 503")
    delivery = make_delivery(
        endpoint, an_update(99, "Halo"), attempts_made=1, last_status=503, last_error="HTTP 503"
    )
    page = windows.open(java_script_enabled=scripts)
    sign_in(page, owner.email)
    item = page.get_by_role("listitem").filter(has_text="Gudang does not take its updates")
    item.get_by_role("link", name="See what it answers").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deliveries")
    expect(page.locator(f'a[href*="{delivery.id}"]').first).to_be_visible()
