"""What goes wrong is said where it went wrong."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stock import Stock
from tests.browser.windows import Windows
from tests.conftest import OWNER
from tests.fakes.serving import Served
from tests.making import PASSWORD
from tgm.auth.service import Person

UNKNOWN_TOKEN = "123456789:AAunknownTokenOfNobody_01234567890abc"


def expect_beside(field: Locator, sentence: str) -> None:
    """Look for a sentence that a screen reader reads with the field."""
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(sentence)
    expect(field).to_be_focused()


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("hello", "This is no bot token. BotFather's tokens look like 123456789:AAbbCC…"),
        (UNKNOWN_TOKEN, "Telegram does not know this token. Please copy it from BotFather again."),
    ],
)
def test_a_wrong_token_is_told_beside_its_field(
    owners_of_nothing: Page, token: str, sentence: str
) -> None:
    page = owners_of_nothing
    page.goto("/dashboard/bots/add")
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Add the bot").click()
    field = page.get_by_label("Token", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#token-error")).to_have_text(sentence)
    expect(field).to_have_attribute("aria-describedby", "token-help token-error")
    expect(field).to_be_focused()
    expect(field).to_have_value("")


def test_a_wrong_password_is_told_and_the_address_is_kept(
    served: Served, owner: Person, page: Page
) -> None:
    page.goto("/auth/sign-in")
    page.get_by_label("E-mail address").fill(OWNER)
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect_beside(page.get_by_label("Password"), "The e-mail address or the password is wrong.")
    expect(page.get_by_label("E-mail address")).to_have_value(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Team")


def test_a_bot_is_deleted_only_after_its_name_was_typed(stock: Stock, owners: Page) -> None:
    owners.goto(f"/dashboard/bots/{stock.bot.id}/settings")
    owners.get_by_role("link", name="Delete").click()
    field, button = (
        owners.get_by_label("Name of the bot"),
        owners.get_by_role("button", name="Delete the bot"),
    )
    field.fill("Something else")
    button.click()
    expect(owners.locator("#name-error")).to_have_text("This is not the bot's name.")
    expect(field).to_be_focused()
    field.fill("Kasir")
    button.click()
    expect(owners.get_by_role("status")).to_contain_text("was deleted")
    expect(owners.get_by_role("link", name="Kasir")).to_have_count(0)


def test_a_person_is_removed_only_after_their_address_was_typed(owners: Page) -> None:
    owners.goto("/dashboard/people")
    owners.get_by_role("link", name="Remove budi@example.com").click()
    field = owners.get_by_label("E-mail address")
    field.fill("someone@example.com")
    owners.get_by_role("button", name="Remove").click()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("budi@example.com")
    owners.get_by_role("button", name="Remove").click()
    expect(owners.get_by_role("status")).to_contain_text("budi@example.com was removed.")


def test_an_address_that_is_not_there_gets_a_page_with_a_way_out(windows: Windows) -> None:
    page = windows.open()
    page.goto("/docs/nothing-here")
    expect(page.get_by_role("heading", level=1)).to_have_text("Error 404")
    page.get_by_role("link", name="To the sign-in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    windows.forgive("status of 404")
