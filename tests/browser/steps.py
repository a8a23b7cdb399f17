"""What a person does on the screens, in a few words."""

from playwright.sync_api import Page

from tests.making import PASSWORD


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in, and wait for the screen after it, whichever that is."""
    page.goto("/auth/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/auth/sign-in" not in url)


def sign_out(page: Page) -> None:
    """Sign out through the menu."""
    page.locator("header summary").click()
    page.locator("header").get_by_role("button", name="Sign out").click()


def add_bot(page: Page, token: str) -> str:
    """Add a bot and return its id, as its page shows it."""
    page.goto("/dashboard/bots")
    page.get_by_role("link", name="Add a bot").click()
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Add the bot").click()
    return page.locator("#bot-id").inner_text()


def make_key(page: Page, name: str) -> str:
    """Make a key for all bots and return it: no other page shows it."""
    page.goto("/dashboard/api-keys")
    page.get_by_role("link", name="Make a key").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the key").click()
    return page.locator("#new-key").inner_text()


def revoke_key(page: Page, name: str) -> None:
    """Revoke a key from the list."""
    page.goto("/dashboard/api-keys")
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
