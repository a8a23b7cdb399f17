"""Two-step sign-in, invitations, and what is left in a browser after signing out."""

import time
from base64 import b32decode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import Page, expect

from tests.browser.inspecting import faults_of_structure
from tests.browser.steps import sign_in, sign_out
from tests.browser.stock import Stock
from tests.browser.windows import Windows
from tests.conftest import OWNER
from tests.fakes.serving import Served
from tests.making import PASSWORD
from tgm.auth.service import Person

STEP_SECONDS = 30
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
CURL = "curl/8.5.0"


def code(secret: str, seconds_ahead: int = 0) -> str:
    """Return what an authenticator app shows."""
    totp = TOTP(b32decode(secret), 6, SHA1(), STEP_SECONDS)  # noqa: S303 - what apps speak
    return totp.generate(int(time.time()) + seconds_ahead).decode()


def test_two_step_sign_in_is_turned_on_and_asked_for(
    served: Served, owner: Person, page: Page
) -> None:
    sign_in(page, OWNER)
    page.goto("/dashboard/account")
    page.get_by_role("link", name="Turn on").click()
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_label("Code from the app").fill("000000")
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#code-error")).to_contain_text("The code is wrong.")
    expect(page.locator("#totp-secret")).to_have_text(secret)
    page.get_by_label("Code from the app").fill(code(secret))
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator("#recovery-codes code")
    expect(codes).to_have_count(10)
    recovery = codes.first.inner_text()
    assert faults_of_structure(page) == []
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Account")
    expect(page.get_by_role("heading", name="Two-step sign-in")).to_contain_text("on")

    # The code that turned it on is spent: the next one signs in, a recovery code does it again.
    for typed in (code(secret, STEP_SECONDS), recovery):
        sign_out(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        sign_in(page, OWNER)
        assert faults_of_structure(page) == []
        page.get_by_label("Code").fill(typed)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Team")


def test_an_invitation_is_accepted_in_another_browser(
    served: Served, owner: Person, windows: Windows
) -> None:
    owners, guests = windows.open(), windows.open()
    sign_in(owners, OWNER)
    owners.goto("/dashboard/people")
    owners.get_by_role("link", name="Invite").click()
    owners.get_by_label("Role", exact=True).select_option(label="Viewer")
    owners.get_by_role("button", name="Make the link").click()
    link = owners.locator("#invitation-link").inner_text()

    guests.goto(link)
    assert faults_of_structure(guests) == []
    guests.get_by_label("E-mail address").fill("guest@example.com")
    guests.get_by_label("Password").fill(PASSWORD)
    guests.get_by_role("button", name="Join").click()
    expect(guests.get_by_role("heading", level=1)).to_have_text("Team")
    guests.goto("/dashboard/bots")
    expect(guests.get_by_role("link", name="Add a bot")).to_have_count(0)
    expect(guests.get_by_role("link", name="Audit log")).to_have_count(0)

    owners.get_by_role("link", name="Done").click()
    expect(owners.get_by_role("row").filter(has_text="guest@example.com")).to_contain_text("Viewer")
    late = windows.open()
    late.goto(link)
    expect(late.get_by_label("Password")).to_have_count(0)
    windows.forgive("status of 404")


def test_somebody_signed_in_joins_a_team_as_they_are(stock: Stock, owners: Page) -> None:
    owners.goto(f"/auth/invite/{stock.invitation}")
    expect(owners.get_by_role("heading", level=1)).to_contain_text("Join")
    assert faults_of_structure(owners) == []


def test_back_shows_nothing_after_signing_out(owners: Page) -> None:
    owners.goto("/dashboard/bots")
    expect(owners.get_by_role("link", name="Kasir")).to_be_visible()
    owners.get_by_role("link", name="API keys").click()
    expect(owners.get_by_role("link", name="Shop", exact=True)).to_be_visible()
    sign_out(owners)
    expect(owners.get_by_role("heading", level=1)).to_have_text("Sign in")
    for _ in range(2):
        owners.go_back()
        expect(owners.get_by_role("heading", level=1)).to_have_text("Sign in")
        for name in ("Kasir", "Shop"):
            assert name not in owners.content()


def test_a_session_is_ended_from_another_browser(
    served: Served, owner: Person, windows: Windows
) -> None:
    here, there, elsewhere = (windows.open(user_agent=agent) for agent in (FIREFOX, SAFARI, CURL))
    for page in (here, there, elsewhere):
        sign_in(page, OWNER)
    here.locator("header summary").click()
    here.get_by_role("link", name="Account").click()
    expect(here.get_by_role("row").filter(has_text="this one")).to_contain_text("Firefox on Linux")
    here.get_by_role("button", name="Sign out: Safari on iPhone").click()
    expect(here.get_by_role("status")).to_contain_text("The session was ended.")
    there.reload()
    expect(there.get_by_role("heading", level=1)).to_have_text("Sign in")
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Team")

    here.get_by_role("button", name="Sign out everywhere else").click()
    expect(here.get_by_role("status")).to_contain_text("everywhere but here")
    expect(here.get_by_role("button", name="Sign out everywhere else")).to_have_count(0)
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Sign in")
    here.reload()
    expect(here.get_by_role("heading", level=1)).to_have_text("Account")


def test_an_owner_ends_a_colleagues_sessions(owners: Page, stock: Stock, windows: Windows) -> None:
    theirs = windows.open(java_script_enabled=False)
    sign_in(theirs, "budi@example.com")
    owners.goto("/dashboard/people")
    owners.get_by_role("link", name="Sessions of budi@example.com").click()
    assert faults_of_structure(owners) == []
    owners.get_by_role("button", name="Sign out everywhere").click()
    expect(owners.get_by_role("status")).to_contain_text("was signed out everywhere")
    theirs.reload()
    expect(theirs.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_the_qr_code_is_black_on_white_in_both_themes(owners: Page) -> None:
    owners.goto("/dashboard/account/two-step")
    code = owners.get_by_role("img", name="QR code")
    for scheme in ("light", "dark"):
        owners.emulate_media(color_scheme=scheme)
        colours = code.evaluate(
            """code => [...code.querySelectorAll("path")].map(path => {
              const style = getComputedStyle(path);
              return [style.fill, style.stroke];
            })"""
        )
        assert colours[0][0] == "rgb(255, 255, 255)"
        assert colours[1][1] == "rgb(0, 0, 0)"
