"""An API key is rotated while a program goes on using it, and its examples are copied."""

import json
import re

from playwright.sync_api import Page, expect

from tests.browser.steps import add_bot, make_key, sign_in
from tests.conftest import OWNER
from tests.fakes.serving import Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tgm.auth.service import Person
from tgm.extensions import runtime


def status(served: Served, bot_id: str, key: str) -> int:
    body = json.dumps({"chat_id": 123456789, "text": "Halo dunia!"}).encode()
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    return served.call("POST", f"/api/v1/bots/{bot_id}/sendMessage", body, headers).status


def rotate(page: Page, name: str, hours: str) -> str:
    """Rotate a key from its page and return the new one."""
    page.goto("/dashboard/api-keys")
    page.get_by_role("row").filter(has_text="active").get_by_role("link", name=name).click()
    page.get_by_role("link", name="Rotate").click()
    page.get_by_label("Hours the old key goes on working").fill(hours)
    page.get_by_role("button", name="Rotate").click()
    return page.locator("#new-key").inner_text()


def test_a_key_is_rotated_without_a_pause_for_its_program(
    served: Served, owner: Person, page: Page
) -> None:
    sign_in(page, OWNER)
    bot_id = add_bot(page, TOKEN)
    first = make_key(page, "Kasir")
    assert status(served, bot_id, first) == 200

    second = rotate(page, "Kasir", "1")
    assert [status(served, bot_id, key) for key in (first, second)] == [200, 200]
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("link", name="by rotating an older key")).to_be_visible()
    assert second not in page.content()
    page.get_by_role("link", name="by rotating an older key").click()
    expect(page.locator("dd").filter(has_text="soon")).to_be_visible()

    page.goto("/dashboard/api-keys")
    old = page.get_by_role("row").filter(has_text=first[-4:])
    old.get_by_role("link", name="Kasir").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("status")).to_contain_text("was revoked")
    assert [status(served, bot_id, key) for key in (first, second)] == [401, 200]

    third = rotate(page, "Kasir", "0")
    assert [status(served, bot_id, key) for key in (second, third)] == [401, 200]


def test_a_wrong_number_of_hours_is_said_beside_the_field_and_rotates_nothing(
    served: Served, owner: Person, page: Page
) -> None:
    sign_in(page, OWNER)
    bot_id = add_bot(page, TOKEN)
    key = make_key(page, "Kasir")
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Rotate").click()
    hours = page.get_by_label("Hours the old key goes on working")
    hours.evaluate("field => field.removeAttribute('max')")
    hours.fill("721")
    page.get_by_role("button", name="Rotate").click()
    expect(page.locator("#overlap-error")).to_contain_text("from 0 to 720 hours")
    expect(hours).to_have_value("721")
    assert status(served, bot_id, key) == 200


def test_a_narrowed_key_is_refused_what_was_taken_from_it(
    served: Served, owner: Person, page: Page
) -> None:
    sign_in(page, OWNER)
    bot_id = add_bot(page, TOKEN)
    key = make_key(page, "Kasir")
    assert status(served, bot_id, key) == 200
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Change").click()
    page.get_by_label("Which methods it may call").fill("getMe")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("was changed")
    assert status(served, bot_id, key) == 403


def test_calls_of_a_key_are_drawn_in_the_list(served: Served, owner: Person, page: Page) -> None:
    sign_in(page, OWNER)
    bot_id = add_bot(page, TOKEN)
    key = make_key(page, "Kasir")
    assert [status(served, bot_id, key) for _ in range(3)] == [200, 200, 200]
    runtime.request_log.flush()
    page.goto("/dashboard/api-keys")
    row = page.get_by_role("row").filter(has_text="Kasir")
    expect(row.get_by_role("img", name="one bar for each hour: 3")).to_be_visible()
    expect(row.locator("time")).to_contain_text("ago")


def test_the_documentation_fills_its_examples_with_what_is_chosen(
    served: Served, owner: Person, page: Page, telegram: FakeTelegram
) -> None:
    sign_in(page, OWNER)
    bot_id = add_bot(page, TOKEN)
    key = make_key(page, "Kasir")
    page.get_by_role("link", name="Examples for this key").click()
    expect(page.locator("#sample-send-message")).to_contain_text(f"/bots/{bot_id}/sendMessage")
    expect(page.locator("#sample-export")).to_have_text(
        f"export TGM_API_KEY=tgm_live_...{key[-4:]}"
    )
    assert key not in page.content()
    assert key not in page.url
    page.get_by_label("Bot", exact=True).select_option(label="None: leave a place for it")
    page.get_by_role("button", name="Fill in").click()
    expect(page.locator("#sample-send-message")).to_contain_text("/bots/01H.../sendMessage")
    chosen = page.get_by_label("API key", exact=True).locator("option:checked")
    expect(chosen).to_contain_text("Kasir")


def test_what_is_wrong_with_a_new_key_has_the_focus(
    served: Served, owner: Person, page: Page
) -> None:
    sign_in(page, owner.email)
    page.goto("/dashboard/api-keys/new")
    page.get_by_label("Name", exact=True).fill("Toko")
    page.get_by_label("Which methods it may call").fill("getMe !!!")
    page.get_by_role("button", name="Make the key").click()
    field = page.get_by_label("Which methods it may call")
    expect(field).to_have_accessible_description(re.compile("“!!!” is no method pattern"))
    expect(field).to_be_focused()
    expect(field).to_have_value("getMe !!!")
