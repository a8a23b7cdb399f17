"""The inspector in a browser: what happens appears by itself, and nothing jumps meanwhile."""

import json
import re

import pytest
from playwright.sync_api import Page, expect
from ulid import ULID

from tests.browser.steps import sign_in
from tests.browser.windows import Windows
from tests.conftest import OWNER
from tests.fakes.serving import Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.proxy.test_request_log import a_row
from tests.webhook.rows import an_update, make_delivery, make_endpoint
from tests.webhook.test_ingress import registered
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.live.pace import Pace
from tgm.webhook.models import Endpoint, State
from tgm.webhook.replaying import replays

LIST = "/dashboard/deliveries"
WITHOUT_EVENTS = "delete window.EventSource"


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


@pytest.fixture
def endpoint(bot: Bot) -> Endpoint:
    return make_endpoint(bot.id)


@pytest.fixture
def inspector(windows: Windows, endpoint: Endpoint) -> Page:
    """The list of deliveries, open and live."""
    make_delivery(endpoint, an_update(1, "Pesan lama"))
    page = windows.open()
    sign_in(page, OWNER)
    page.goto(LIST)
    expect(page.locator(".live-state")).to_have_text("Live")
    return page


def a_press(update_id: int) -> bytes:
    """Return the press of a button, as Telegram sends it."""
    person = {"id": 523067421, "is_bot": False, "first_name": "Ani"}
    chat = {"id": 523067421, "type": "private"}
    message = {"message_id": 1, "chat": chat, "date": 1, "text": "Konfirmasi?"}
    press = {"id": "1", "from": person, "message": message, "data": "order:confirm:2437234"}
    press["chat_instance"] = "1"
    return json.dumps({"update_id": update_id, "callback_query": press}).encode()


@pytest.mark.given(WEBHOOK_BASE_URL="https://tgm.example.com")
def test_a_button_press_arrives_in_every_open_inspector(
    served: Served, windows: Windows, telegram: FakeTelegram, bot: Bot, inspector: Page
) -> None:
    sender = registered(bot, telegram, served)
    second = windows.open()
    sign_in(second, OWNER)
    second.goto(LIST)
    for page in (inspector, second):
        expect(page.get_by_role("row").filter(has_text="Pesan lama")).to_be_visible()
        page.evaluate("window.same = true")
    assert sender.post(a_press(77)).status == 200
    for page in (inspector, second):
        row = page.get_by_role("row").filter(has_text="order:confirm:2437234")
        expect(row).to_contain_text("callback_query")
        assert page.evaluate("window.same"), "the page was loaded again"
        expect(page.locator("[data-live-said]")).to_have_text("New deliveries: 1")


def test_focus_and_choice_stay_when_rows_come_in(inspector: Page, endpoint: Endpoint) -> None:
    link = inspector.get_by_role("link", name="1", exact=True)
    link.focus()
    for number in range(2, 60):
        make_delivery(endpoint, an_update(number, f"Nomor {number}."))
    expect(inspector.get_by_text("Nomor 59.")).to_be_visible()
    # The first page has 50 rows, and the oldest goes.
    expect(inspector.locator("tbody tr")).to_have_count(50)
    link = inspector.get_by_role("link", name="30", exact=True)
    link.focus()
    make_delivery(endpoint, an_update(60, "Nomor 60."))
    expect(inspector.get_by_text("Nomor 60.")).to_be_visible()
    expect(link).to_be_focused()


def test_older_rows_are_put_below_and_stay_while_new_ones_come(
    inspector: Page, endpoint: Endpoint
) -> None:
    for number in range(2, 121):
        make_delivery(endpoint, an_update(number, f"Nomor {number}."))
    expect(inspector.get_by_text("Nomor 120.")).to_be_visible()
    rows = inspector.locator("tbody tr")
    expect(rows).to_have_count(50)
    inspector.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(100)
    make_delivery(endpoint, an_update(121, "Nomor 121."))
    expect(inspector.get_by_text("Nomor 121.")).to_be_visible()
    expect(rows).to_have_count(101)
    inspector.get_by_role("link", name="Older").click()
    expect(rows).to_have_count(121)
    expect(inspector.get_by_role("link", name="Older")).to_have_count(0)
    shown = inspector.locator("tbody tr").evaluate_all("rows => rows.map(r => +r.dataset.seq)")
    assert shown == sorted(shown, reverse=True)
    assert len(set(shown)) == 121
    assert inspector.url.endswith(LIST)


def test_where_a_row_is_lacking_the_whole_list_comes_again(
    inspector: Page, endpoint: Endpoint
) -> None:
    inspector.locator("tbody tr").first.evaluate("row => row.remove()")
    make_delivery(endpoint, an_update(2, "Pesan baru"))
    expect(inspector.get_by_text("Pesan lama")).to_be_visible()
    expect(inspector.get_by_text("Pesan baru")).to_be_visible()
    expect(inspector.locator("tbody tr")).to_have_count(2)


def test_it_can_be_held(inspector: Page, endpoint: Endpoint) -> None:
    inspector.get_by_role("button", name="Pause").click()
    expect(inspector.locator(".live-state")).to_have_text("Paused")
    make_delivery(endpoint, an_update(2, "Nomor 2."))
    make_delivery(endpoint, an_update(3, "Nomor 3."))
    # Somebody else's page shows it, so it would be here by now.
    other = inspector.context.new_page()
    other.goto(LIST)
    expect(other.get_by_text("Nomor 3.")).to_be_visible()
    expect(inspector.get_by_text("Nomor 2.")).to_have_count(0)
    inspector.bring_to_front()
    inspector.get_by_role("button", name="Go on").click()
    expect(inspector.get_by_text("Nomor 2.")).to_be_visible()


def test_without_events_it_asks_every_few_seconds(
    windows: Windows, served: Served, endpoint: Endpoint
) -> None:
    page = windows.open()
    page.add_init_script(WITHOUT_EVENTS)
    sign_in(page, OWNER)
    page.goto(LIST)
    expect(page.locator(".live-state")).to_have_text("Renewed every 5 seconds")
    make_delivery(endpoint, an_update(1, "Pesan baru"))
    expect(page.get_by_text("Pesan baru")).to_be_visible()


def test_where_streams_are_refused_it_asks_instead(
    windows: Windows, served: Served, endpoint: Endpoint
) -> None:
    runtime.live.pace = Pace(most=0)
    page = windows.open()
    sign_in(page, OWNER)
    page.goto(LIST)
    expect(page.locator(".live-state")).to_have_text("Renewed every 5 seconds")
    make_delivery(endpoint, an_update(1, "Pesan baru"))
    expect(page.get_by_text("Pesan baru")).to_be_visible()
    windows.forgive("503")


def test_it_says_so_when_the_person_has_signed_out(inspector: Page, windows: Windows) -> None:
    inspector.context.clear_cookies()
    inspector.get_by_role("button", name="Pause").click()
    inspector.evaluate(WITHOUT_EVENTS)
    inspector.get_by_role("button", name="Go on").click()
    expect(inspector.locator(".live-state")).to_have_text("Not renewed")
    inspector.get_by_role("link", name="Renew").click()
    expect(inspector.get_by_role("heading", level=1)).to_have_text("Sign in")
    windows.forgive("401")


def test_without_scripts_a_link_renews_the_list(
    windows: Windows, served: Served, endpoint: Endpoint
) -> None:
    page = windows.open(java_script_enabled=False)
    sign_in(page, OWNER)
    page.goto(LIST)
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    for number in range(51):
        make_delivery(endpoint, an_update(number, f"Nomor {number}."))
    page.get_by_role("link", name="Renew").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="0", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Update 0")


def test_a_row_opens_beside_the_list(inspector: Page, endpoint: Endpoint) -> None:
    inspector.evaluate("window.same = true")
    inspector.get_by_role("link", name="1", exact=True).click()
    heading = inspector.get_by_role("heading", name="Update 1", level=2)
    expect(heading).to_be_focused()
    expect(inspector.locator("#detail-panel")).to_contain_text("webhook-id")
    expect(inspector.locator("tr[aria-current]")).to_contain_text("Pesan lama")
    expect(inspector).to_have_url(re.compile(r"/deliveries\?open=\w{26}$"))
    make_delivery(endpoint, an_update(2, "Pesan baru"))
    expect(inspector.get_by_text("Pesan baru")).to_be_visible()
    expect(heading).to_be_focused()
    expect(inspector.locator("tr[aria-current]")).to_contain_text("Pesan lama")
    inspector.get_by_role("link", name="2", exact=True).click()
    expect(inspector.get_by_role("heading", name="Update 2", level=2)).to_be_focused()
    assert inspector.evaluate("window.same"), "the page was loaded again"

    inspector.go_back()
    expect(heading).to_be_visible()
    expect(inspector.locator("tr[aria-current]")).to_contain_text("Pesan lama")
    inspector.reload()
    expect(heading).to_be_visible()
    inspector.go_back()
    expect(inspector.locator("#detail-panel h2")).to_have_count(0)
    inspector.get_by_role("link", name="1", exact=True).click()
    expect(heading).to_be_focused()
    inspector.keyboard.press("Escape")
    expect(heading).to_have_count(0)
    expect(inspector.get_by_role("link", name="1", exact=True)).to_be_focused()
    expect(inspector).to_have_url(re.compile(r"/deliveries$"))


def test_where_there_is_no_room_a_row_opens_as_a_page(inspector: Page) -> None:
    inspector.set_viewport_size({"width": 360, "height": 740})
    inspector.get_by_role("link", name="1", exact=True).click()
    expect(inspector.get_by_role("heading", level=1)).to_have_text("Update 1")
    inspector.go_back()
    expect(inspector.get_by_role("heading", level=1)).to_have_text("Deliveries")
    expect(inspector.locator(".live-state")).to_have_text("Live")


def test_what_others_wrote_stays_text(inspector: Page, endpoint: Endpoint) -> None:
    evil = "<img src=x onerror=alert(1)><script>window.broken = 1</script>\u202egnol"
    make_delivery(endpoint, an_update(2, evil), last_error=evil)
    row = inspector.get_by_role("row").filter(has_text="<script>window.broken")
    expect(row).to_be_visible()
    inspector.get_by_role("link", name="2", exact=True).click()
    expect(inspector.locator("#update-json")).to_contain_text("<img src=x")
    assert inspector.evaluate("window.broken") is None
    assert inspector.locator("main img").count() == 0


def test_calls_appear_as_well_and_open_beside_the_list(
    windows: Windows, served: Served, team: ULID, bot: Bot
) -> None:
    page = windows.open()
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{bot.id}/requests")
    expect(page.get_by_text("No calls yet")).to_be_visible()
    runtime.request_log.add(
        a_row(team_id=str(team), bot_id=str(bot.id), method="sendPhoto", milliseconds=913)
    )
    page.get_by_role("link", name="sendPhoto").click()
    expect(page.get_by_role("heading", name="sendPhoto", level=2)).to_be_focused()
    expect(page.locator("#detail-panel")).to_contain_text("913 ms")


def test_leaving_the_page_ends_its_stream(inspector: Page) -> None:
    assert len(runtime.live) == 1
    inspector.get_by_role("link", name="API keys").click()
    expect(inspector.get_by_role("heading", level=1)).to_have_text("API keys")
    page = inspector.context.new_page()
    page.goto(LIST)
    expect(page.locator(".live-state")).to_have_text("Live")
    assert len(runtime.live) == 1


def test_many_are_replayed_with_progress(inspector: Page, endpoint: Endpoint) -> None:
    for number in range(2, 27):
        make_delivery(endpoint, an_update(number), state=State.DEAD)
    inspector.goto(f"{LIST}?state=dead")
    inspector.get_by_role("link", name="Replay these").click()
    expect(inspector.locator("main")).to_contain_text("25 updates are delivered again")
    inspector.get_by_role("button", name="Replay").click()
    expect(inspector.locator("progress")).to_be_visible()
    expect(inspector.locator("#replay-progress")).to_contain_text("Done: 25 of 25")
    replays.join(20)


def test_a_test_update_is_sent_from_the_list(inspector: Page) -> None:
    inspector.get_by_role("link", name="Send a test update").click()
    inspector.get_by_label("The press of a button").check()
    inspector.get_by_role("button", name="Send", exact=True).click()
    expect(inspector.locator("#delivery-status")).to_contain_text("a test that TGM made up")
    expect(inspector.locator("#update-json")).to_contain_text("order:confirm")
