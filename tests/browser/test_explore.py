"""The page that shows the OpenAPI document: Swagger UI, under the same rules as our own scripts."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.inspecting import faults_of_width
from tests.browser.test_screens import Look
from tests.browser.windows import Windows
from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.keys import service as keys
from tgm.keys.rights import Rights


def opened(page: Page, tag: str, method: str) -> Locator:
    """Open a method under its tag, ready to be called by POST."""
    page.locator(f"#explore .opblock-tag[data-tag={tag}]").click()
    operation = page.locator(f"#operations-{tag}-{method}")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    return operation


@pytest.mark.usefixtures("app")
def test_a_call_can_be_tried_out(page: Page) -> None:
    team = make_team("Toko")
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    _, key = keys.make(team, Rights("Program"), COMMAND_LINE)
    # By a link, as people come: the page is put in place of another one, and its script with it.
    page.goto("/docs/")
    page.get_by_role("link", name="Try every method").click()
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container").filter(has_text="X-API-Key").locator("input").fill(key.value)
    page.locator(".auth-container").first.get_by_role("button", name="Authorize").click()
    page.locator(".close-modal").click()
    operation = opened(page, "get", "getMe")
    operation.get_by_placeholder("botId").fill(str(bot.id))
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text("200")
    expect(answer).to_contain_text("tgm_test_bot")


def test_it_fits_its_window_and_can_be_read_in_either_theme(page: Page, barriers: Look) -> None:
    page.goto("/docs/api")
    opened(page, "send", "sendPhoto")
    found = [fault for fault in barriers(page) if fault.startswith("color-contrast")]
    for wide in (360, 1024):
        page.set_viewport_size({"width": wide, "height": 740})
        found += faults_of_width(page)
    assert found == []


def test_without_scripts_it_says_where_to_read(windows: Windows) -> None:
    page = windows.open(java_script_enabled=False)
    page.goto("/docs/api")
    expect(page.get_by_text("needs JavaScript")).to_be_visible()
    expect(page.locator("main").get_by_role("link", name="OpenAPI")).to_have_attribute(
        "href", "/openapi.json"
    )
    expect(page.locator("main").get_by_role("link", name="API documentation")).to_be_visible()
