"""From the set-up link to a call in the log, as a newcomer goes it."""

import json

from flask import Flask
from playwright.sync_api import Page, expect
from ulid import ULID

from tests.browser.steps import add_bot, make_key, revoke_key, sign_in, sign_out
from tests.browser.windows import Windows
from tests.conftest import OWNER
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import TOKEN
from tests.making import PASSWORD
from tgm.auth import setup_link
from tgm.auth.service import Person


def call(served: Served, bot_id: str, key: str) -> Got:
    body = json.dumps({"chat_id": 123456789, "text": "Halo dunia!"}).encode()
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    return served.call("POST", f"/api/v1/bots/{bot_id}/sendMessage", body, headers)


def test_a_newcomer_gets_from_the_set_up_link_to_a_call_in_the_log(
    app: Flask, served: Served, page: Page
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(setup_link.path(app))
    page.get_by_label("Name of your team").fill("Toko Ani")
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Toko Ani")

    page.get_by_role("link", name="Add a bot").click()
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.get_by_role("button", name="Add the bot").click()
    expect(page.get_by_role("status")).to_contain_text("was added")
    shown = page.locator("#bot-id").inner_text()
    bot_id = str(ULID.from_str(shown))
    copy = page.locator("[data-copy=bot-id]")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == bot_id
    assert TOKEN.partition(":")[2] not in page.content()

    key = make_key(page, "Kasir")
    page.get_by_role("link", name="Requests").click()
    expect(page.get_by_text("No calls yet")).to_be_visible()
    assert call(served, bot_id, key).status == 200
    row = page.get_by_role("row").filter(has_text="sendMessage")
    expect(row).to_contain_text("Kasir")
    expect(row).to_contain_text("200")

    revoke_key(page, "Kasir")
    expect(page.get_by_role("status")).to_contain_text("was revoked")
    assert call(served, bot_id, key).status == 401


def test_a_key_is_shown_once(served: Served, owner: Person, page: Page) -> None:
    sign_in(page, OWNER)
    add_bot(page, TOKEN)
    key = make_key(page, "Kasir")
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kasir")
    page.reload()
    assert key not in page.content()
    for address in ("/dashboard/api-keys", "/dashboard/", "/dashboard/audit"):
        page.goto(address)
        assert key not in page.content()


def test_without_scripts_the_same_path_leads_there(
    served: Served, owner: Person, windows: Windows
) -> None:
    page = windows.open(java_script_enabled=False)
    sign_in(page, OWNER)
    bot_id = add_bot(page, TOKEN)
    expect(page.locator("[data-copy]").first).to_be_hidden()
    tabs = page.get_by_role("navigation", name="Pages of")
    tabs.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("button", name="Disable").click()
    expect(page.locator("#bot-state")).to_contain_text("Every call for this bot is refused.")
    page.get_by_role("button", name="Enable").click()
    expect(page.locator("#bot-state")).to_contain_text("can call it")

    key = make_key(page, "Kasir")
    assert call(served, bot_id, key).status == 200
    page.get_by_role("link", name="Requests").click()
    expect(page.get_by_role("row").filter(has_text="sendMessage")).to_be_visible()

    revoke_key(page, "Kasir")
    expect(page.get_by_role("status")).to_contain_text("was revoked")
    assert call(served, bot_id, key).status == 401

    sign_out(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_with_scripts_a_bots_state_changes_in_place(
    served: Served, owner: Person, page: Page
) -> None:
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{add_bot(page, TOKEN)}/settings")
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Disable").click()
    expect(page.locator("#bot-state")).to_contain_text("Every call for this bot is refused.")
    page.get_by_role("button", name="Enable").click()
    expect(page.locator("#bot-state")).to_contain_text("can call it")
    assert page.evaluate("window.same"), "the whole page was loaded again"
