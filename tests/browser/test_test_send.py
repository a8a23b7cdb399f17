"""The test send as a person uses it: with a keyboard, a photo, templates and the last calls."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import VIEWS
from tests.browser.inspecting import faults_of_structure, faults_of_width
from tests.browser.steps import sign_in
from tests.browser.windows import Windows
from tests.conftest import OWNER
from tests.fakes.serving import Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.testsend.conftest import note_chat
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot

PAGE = "/dashboard/test-send"
KEYBOARD = {
    "inline_keyboard": [
        [
            {"text": "Ya", "callback_data": "order:confirm:1"},
            {"text": "Tidak", "callback_data": "order:reject:1"},
        ],
        [{"text": "Toko", "url": "https://toko.example.com/"}],
    ]
}


@pytest.fixture
def bot(owner: Person, telegram: FakeTelegram) -> Bot:
    bot = bots.add(owner.places[0].team_id, TOKEN, "Kasir", COMMAND_LINE)
    note_chat(bot, -100123, "Toko Ani", "toko_ani")
    note_chat(bot, 7, "Warung Budi")
    telegram.requests.clear()
    return bot


def send(page: Page) -> None:
    page.get_by_role("button", name="Send", exact=True).click()


def state(page: Page) -> str:
    """Wait for an answer, and return its line."""
    expect(page.locator("#answer-state")).to_contain_text("ms")
    return page.locator("#answer-state").inner_text()


def test_a_message_with_a_keyboard(
    page: Page, served: Served, bot: Bot, telegram: FakeTelegram
) -> None:
    sign_in(page, OWNER)
    page.goto(PAGE)
    page.evaluate("window.same = true")
    page.get_by_label("Chat", exact=True).press_sequentially("toko")
    expect(page.get_by_role("button", name="Warung Budi")).to_have_count(0)
    page.get_by_role("button", name="Toko Ani").click()
    expect(page.get_by_label("Chat", exact=True)).to_have_value("-100123")

    page.get_by_label("Parse mode").select_option("HTML")
    page.get_by_label("Text", exact=True).press_sequentially("<b>Orderan</b> <i>#1</i>")
    expect(page.locator("#preview b")).to_have_text("Orderan")

    row = page.get_by_role("group", name="Row 1")
    row.get_by_label("Label of the button").fill("Ya")
    row.get_by_label("URL or callback data").fill("order:confirm:1")
    row.get_by_role("button", name="Add a button").click()
    page.keyboard.type("Tidak")
    row.get_by_label("URL or callback data").nth(1).fill("order:reject:1")
    page.get_by_role("button", name="Add a row").click()
    page.keyboard.type("Toko")
    row = page.get_by_role("group", name="Row 2")
    row.get_by_label("URL or callback data").fill("https://toko.example.com/")

    send(page)
    assert "200 OK" in state(page)
    [call] = telegram.calls("sendMessage")
    assert json.loads(call.body) == {
        "chat_id": -100123,
        "text": "<b>Orderan</b> <i>#1</i>",
        "parse_mode": "HTML",
        "reply_markup": KEYBOARD,
    }
    expect(page.locator("#answer .answer-body")).to_contain_text('"message_id"')
    expect(page.locator("#snippet-curl")).to_contain_text("$TGM_API_KEY")
    page.get_by_text("Node.js (fetch)").click()
    expect(page.locator("#snippet-node")).to_contain_text("process.env.TGM_API_KEY")
    # The form is still there, as it was typed.
    expect(page.get_by_label("Text", exact=True)).to_have_value("<b>Orderan</b> <i>#1</i>")
    expect(page.get_by_label("Label of the button")).to_have_count(3)
    assert page.evaluate("window.same"), "the whole page was loaded again"
    assert faults_of_structure(page) == []


def test_a_photo_shows_how_far_it_is(
    page: Page, served: Served, bot: Bot, telegram: FakeTelegram, tmp_path: Path
) -> None:
    photo = tmp_path / "struk.png"
    photo.write_bytes(bytes(range(256)) * 20_000)  # 5 MB: more than a stranger may send
    sign_in(page, OWNER)
    page.goto(f"{PAGE}?method=sendPhoto&chat=7")
    page.evaluate(
        """() => {
          window.steps = [];
          document.addEventListener("htmx:xhr:progress", () => {
            const bar = document.getElementById("upload-progress");
            window.steps.push([bar.checkVisibility(), bar.value]);
          });
        }"""
    )
    page.get_by_label("Photo", exact=True).set_input_files(photo)
    page.get_by_label("Caption optional").fill("Struk")
    send(page)
    assert "200 OK" in state(page)
    [call] = telegram.calls("sendPhoto")
    assert photo.read_bytes() in call.body
    steps = page.evaluate("window.steps")
    assert [True, 100] in steps, "the bar was not seen, or never full"
    expect(page.locator("#upload-progress")).to_be_hidden()
    expect(page.locator("#snippet-curl")).to_contain_text('photo=@"struk.png"')
    # The file is still chosen: another press sends it again.
    page.get_by_label("Caption optional").fill("Struk lagi")
    send(page)
    expect(page.locator("#history li")).to_have_count(2)
    assert len(telegram.calls("sendPhoto")) == 2


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    page: Page, served: Served, bot: Bot, telegram: FakeTelegram, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    with film.open("wb") as file:
        file.truncate(51 * 1024 * 1024)
    sign_in(page, OWNER)
    page.goto(f"{PAGE}?method=sendDocument&chat=7")
    page.get_by_label("Document", exact=True).set_input_files(film)
    send(page)
    message = page.get_by_label("Document", exact=True).evaluate("(file) => file.validationMessage")
    assert message == "The file is too large: 50 MB at most."
    assert telegram.requests == []


def test_what_is_wrong_stands_beside_its_field(
    page: Page, served: Served, bot: Bot, telegram: FakeTelegram
) -> None:
    sign_in(page, OWNER)
    page.goto(PAGE)
    page.get_by_label("Chat", exact=True).fill("nobody")
    page.get_by_label("Text", exact=True).fill("Halo")
    send(page)
    expect(page.locator("#p-chat_id-error")).to_contain_text("choose a chat")
    expect(page.get_by_label("Chat", exact=True)).to_be_focused()
    expect(page.get_by_label("Text", exact=True)).to_have_value("Halo")
    page.get_by_label("Chat", exact=True).fill("7")
    send(page)
    assert "200 OK" in state(page)
    expect(page.locator("#p-chat_id-error")).to_have_count(0)


def test_a_template_and_the_last_call_are_sent_again(
    page: Page, served: Served, bot: Bot, telegram: FakeTelegram
) -> None:
    sign_in(page, OWNER)
    page.goto(PAGE)
    page.get_by_label("Chat", exact=True).fill("7")
    page.get_by_label("Text", exact=True).fill("Selamat pagi")
    page.get_by_label("Save under a name").fill("Salam")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The template Salam was saved.")).to_be_visible()
    assert telegram.calls("sendMessage") == []
    page.goto(PAGE)
    page.get_by_role("link", name="Salam", exact=True).click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("Selamat pagi")
    send(page)
    assert "200 OK" in state(page)
    page.get_by_role("button", name="Again: sendMessage").click()
    expect(page.locator("#history li")).to_have_count(2)
    first, second = telegram.calls("sendMessage")
    assert first.body == second.body
    page.get_by_role("link", name="Delete the template Salam").click()
    page.get_by_role("button", name="Delete the template").click()
    expect(page.get_by_text("The template Salam was deleted.")).to_be_visible()


def test_any_other_method_has_a_form_and_json(
    page: Page, served: Served, bot: Bot, telegram: FakeTelegram
) -> None:
    sign_in(page, OWNER)
    page.goto(PAGE)
    page.get_by_label("Method").select_option("sendVenue")
    page.get_by_label("Chat", exact=True).fill("7")
    page.get_by_label("Latitude", exact=True).fill("-7.8")
    page.get_by_label("Longitude", exact=True).fill("110.36")
    page.get_by_label("title", exact=True).fill("Toko")
    page.get_by_label("address", exact=True).fill("Jalan Malioboro")
    page.get_by_text("More parameters").click()
    page.get_by_label("protect_content").select_option("Yes")
    page.get_by_role("button", name="JSON", exact=True).click()
    body = json.loads(page.get_by_label("Body (JSON)").input_value())
    assert body["protect_content"] is True
    page.get_by_label("Body (JSON)").fill(json.dumps({**body, "title": "Toko Ani"}))
    page.get_by_role("button", name="Form", exact=True).click()
    expect(page.get_by_label("title", exact=True)).to_have_value("Toko Ani")
    send(page)
    assert "200 OK" in state(page)
    assert json.loads(telegram.calls("sendVenue")[0].body)["title"] == "Toko Ani"


def test_without_scripts_the_same_is_done(
    windows: Windows, served: Served, bot: Bot, telegram: FakeTelegram, tmp_path: Path
) -> None:
    page = windows.open(java_script_enabled=False)
    sign_in(page, OWNER)
    page.goto(PAGE)
    page.get_by_label("Text", exact=True).fill("Orderan")
    page.get_by_label("Chat", exact=True).fill("toko")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("button", name="Toko Ani").click()
    expect(page.get_by_label("Chat", exact=True)).to_have_value("-100123")
    page.get_by_label("Label of the button").fill("Ya")
    page.get_by_label("URL or callback data").fill("order:confirm:1")
    page.get_by_role("button", name="Add a button").click()
    page.get_by_label("Label of the button").nth(1).fill("Tidak")
    page.get_by_label("URL or callback data").nth(1).fill("order:reject:1")
    page.get_by_role("button", name="Add a row").click()
    page.get_by_label("Label of the button").nth(2).fill("Toko")
    page.get_by_label("URL or callback data").nth(2).fill("https://toko.example.com/")
    send(page)
    assert "200 OK" in state(page)
    [call] = telegram.calls("sendMessage")
    assert json.loads(call.body)["reply_markup"] == KEYBOARD

    photo = tmp_path / "struk.png"
    photo.write_bytes(bytes(range(256)) * 8000)
    page.get_by_label("Method").select_option("sendPhoto")
    page.get_by_role("button", name="Choose").click()
    page.get_by_label("Photo", exact=True).set_input_files(photo)
    send(page)
    expect(page.locator("#answer-state")).to_contain_text("sendPhoto")
    assert photo.read_bytes() in telegram.calls("sendPhoto")[0].body
    page.get_by_role("button", name="Again: sendMessage").click()
    expect(page.locator("#history li")).to_have_count(3)


def test_no_state_of_the_screen_has_a_barrier(
    page: Page, served: Served, bot: Bot, barriers: Callable[..., list[str]]
) -> None:
    sign_in(page, OWNER)
    for method in ("sendPhoto", "sendPoll", "setWebhook", "setMyCommands"):
        page.goto(f"{PAGE}?method={method}&chat=7")
        page.get_by_text("More parameters").click()
        assert barriers(page, VIEWS) == [], method
    page.goto(PAGE)
    page.get_by_label("Chat", exact=True).fill("nobody")
    page.get_by_label("Parse mode").select_option("MarkdownV2")
    page.get_by_label("Text", exact=True).fill("*Halo* ||Ani||. [x](y)")
    expect(page.locator(".preview-problem")).to_be_visible()
    send(page)
    expect(page.locator("#p-chat_id-error")).to_be_visible()
    assert barriers(page, VIEWS) == []
    page.get_by_label("Chat", exact=True).fill("7")
    send(page)
    state(page)
    assert barriers(page, VIEWS) == []
    page.get_by_role("button", name="JSON", exact=True).click()
    expect(page.get_by_label("Body (JSON)")).to_be_visible()
    assert barriers(page, VIEWS) == []


def test_a_long_name_of_a_chat_fits_a_phone(page: Page, served: Served, bot: Bot) -> None:
    note_chat(bot, 8, "A very long name that somebody gave to a group in a moment of joy, and more")
    sign_in(page, OWNER)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{PAGE}?method=sendPoll&chat=8")
    page.get_by_text("More parameters").click()
    assert faults_of_width(page) == []
    assert faults_of_structure(page) == []
