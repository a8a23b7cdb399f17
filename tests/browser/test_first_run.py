"""The first run: from the set-up link to a team's first message, with the guide leading."""

import json
import re
import shlex
from itertools import pairwise
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import sign_in, sign_out
from tests.browser.windows import Windows
from tests.conftest import OWNER
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.making import PASSWORD
from tgm.auth import setup_link
from tgm.auth.service import Person

CHAT = "123456789"


def guide(page: Page) -> Locator:
    return page.get_by_role("region", name="First steps")


def step(page: Page, number: int) -> Locator:
    return guide(page).locator(".guide-step").nth(number - 1)


def expect_steps(page: Page, *states: str) -> None:
    for number, state in enumerate(states, 1):
        expect(step(page, number).locator(".status")).to_have_text(state)
    current = guide(page).locator("[aria-current=step]")
    expect(current).to_have_count(1)
    expect(current.locator(".status")).to_have_text("next")


def set_up(app: Flask, page: Page) -> None:
    page.goto(setup_link.path(app))
    page.get_by_label("Name of your team").fill("Toko Ani")
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Toko Ani")


def add_the_bot(page: Page) -> str:
    page.get_by_role("link", name="Add a bot").click()
    steps = page.get_by_role("region", name="Where the token comes from").get_by_role("listitem")
    expect(steps).to_have_count(3)
    for place, word in enumerate(("@BotFather", "/newbot", "token")):
        expect(steps.nth(place)).to_contain_text(word)
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.get_by_role("button", name="Add the bot").click()
    return page.locator("#bot-id").inner_text()


def make_the_key(page: Page) -> str:
    page.get_by_label("Name", exact=True).fill("Kasir")
    page.get_by_role("button", name="Make the key").click()
    return page.locator("#new-key").inner_text()


def run(served: Served, line: str) -> Got:
    """Do what curl would do with the line."""
    program, *words = shlex.split(line)
    assert program == "curl"
    url = next(word for word in words if word.startswith("http"))
    options = dict(pairwise(words))
    assert url.startswith(served.url + "/")
    name, _, value = options["-H"].partition(": ")
    return served.call(options["-X"], urlsplit(url).path, b"", {name: value})


def send_the_message(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Test send")
    page.get_by_label("Chat", exact=True).fill(CHAT)
    page.get_by_label("Text", exact=True).fill("Halo dunia!")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", name="Answer")).to_be_visible()


def the_message(telegram: FakeTelegram) -> str:
    (sent,) = telegram.calls("sendMessage")
    return sent.body.decode()


def test_the_guide_leads_from_the_set_up_link_to_the_first_message(
    app: Flask, served: Served, telegram: FakeTelegram, page: Page
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    set_up(app, page)
    expect_steps(page, "next", "later", "later")

    bot_id = add_the_bot(page)
    expect(page.get_by_role("link", name="Next: make a key")).to_be_visible()
    sign_out(page)
    sign_in(page, OWNER)
    expect_steps(page, "done", "next", "later")
    expect(guide(page)).to_contain_text("1 of 3 done")

    step(page, 2).get_by_role("link", name="Make a key").click()
    key = make_the_key(page)
    page.locator("[data-copy=try-line]").click()
    expect(page.locator("[data-copy=try-line]")).to_have_text("Copied")
    line = page.evaluate("navigator.clipboard.readText()")
    assert bot_id in line
    assert key in line
    answer = run(served, line)
    assert (answer.status, json.loads(answer.body)["result"]["username"]) == (200, "tgm_test_bot")

    sign_out(page)
    sign_in(page, OWNER)
    expect_steps(page, "done", "done", "next")
    expect(step(page, 3)).to_contain_text("Switch receiving on")
    step(page, 3).get_by_role("link", name="Switch receiving on").click()
    page.get_by_role("button", name="Receive these").click()
    expect(page.get_by_text("Telegram now sends what you chose.")).to_be_visible()
    page.get_by_role("link", name="TGM", exact=True).click()
    expect(step(page, 3)).to_contain_text("Write anything to @tgm_test_bot")

    step(page, 3).get_by_role("link", name="Send your first message").click()
    send_the_message(page)
    assert "Halo dunia!" in the_message(telegram)
    page.get_by_role("link", name="TGM", exact=True).click()
    expect(page.get_by_role("heading", name="Bots")).to_be_visible()
    expect(guide(page)).to_have_count(0)
    page.goto(f"/dashboard/bots/{bot_id}")
    expect(page.locator("#bot-id")).to_have_text(bot_id)
    expect(page.get_by_role("link", name=re.compile("^Next"))).to_have_count(0)


def test_without_scripts_the_guide_leads_there_too(
    served: Served, telegram: FakeTelegram, owner: Person, windows: Windows
) -> None:
    page = windows.open(java_script_enabled=False)
    sign_in(page, OWNER)
    expect_steps(page, "next", "later", "later")
    bot_id = add_the_bot(page)
    page.get_by_role("link", name="Next: make a key").click()
    make_the_key(page)
    assert run(served, page.locator("#try-line").inner_text()).status == 200
    page.get_by_role("link", name="Next: send your first message").click()
    expect(page).to_have_url(re.compile(rf"/dashboard/test-send\?bot={bot_id}&method=sendMessage"))
    page.goto("/dashboard/")
    expect_steps(page, "done", "done", "next")
    step(page, 3).get_by_role("link", name="Send your first message").click()
    send_the_message(page)
    assert "Halo dunia!" in the_message(telegram) or "Halo+dunia" in the_message(telegram)
    page.get_by_role("link", name="TGM", exact=True).click()
    expect(page.get_by_role("heading", name="Bots")).to_be_visible()
    expect(guide(page)).to_have_count(0)
