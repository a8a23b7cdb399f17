"""A person finds out what is broken, mends it and sees it work, all from the browser."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import VIEWS
from tests.browser.inspecting import faults_of_structure, faults_of_width
from tests.browser.steps import sign_in
from tests.browser.stock import Stock
from tests.browser.windows import Windows
from tests.conftest import OWNER
from tests.fakes.receiver import Receiver, answers
from tests.fakes.serving import Served
from tests.fakes.telegram import TOKEN, FakeTelegram, refusal, reply
from tests.live.listening import wait_until
from tests.webhook.delivering import a_deliverer, delivery_of, now_is
from tests.webhook.rows import make_endpoint, make_reception
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import runtime
from tgm.shared.clock import utcnow
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook.models import Delivery, Mode, State

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
DOCTORS_WORDS = ("What Telegram says", "Local checks")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A program that answers 500 until it is repaired."""
    with Receiver() as broken:
        broken.always = answers(500, b"database is down")
        yield broken


@pytest.fixture
def bot(owner: Person) -> Bot:
    bot = bots.add(owner.places[0].team_id, TOKEN, "Kasir", COMMAND_LINE)
    make_reception(bot.id, Mode.POLLING, allowed_updates=list(UPDATE_KINDS))
    return bot


@pytest.fixture
def failed(bot: Bot, receiver: Receiver) -> Delivery:
    """A delivery that has been tried once, and is tried again only in a while."""
    endpoint = make_endpoint(bot.id, "Toko", url=receiver.url)
    delivery = delivery_of(endpoint, 1, at=utcnow())
    with a_deliverer() as deliverer:
        (claimed,) = deliverer.claim(1, utcnow())
        deliverer.attempt(claimed, utcnow())
    assert now_is(delivery).last_status == 500
    with writing() as session:
        # Later than any test takes: it is a person who has it tried again.
        session.get_one(Delivery, delivery.seq).next_at = utcnow() + timedelta(hours=1)
    return delivery


@pytest.fixture
def delivering(failed: Delivery) -> Iterator[None]:
    """The relay at work, as `serve` starts it. It stops before the receiver does."""
    runtime.relay.start()
    yield
    runtime.relay.stop()


def finding(page: Page, what: str) -> Locator:
    """Return the finding with this heading."""
    heading = page.get_by_role("heading", level=3, name=what, exact=True)
    return page.locator(".exam-item").filter(has=heading)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_failing_endpoint_is_repaired_and_tried_again(
    served: Served,
    windows: Windows,
    bot: Bot,
    failed: Delivery,
    delivering: None,
    receiver: Receiver,
    scripts: bool,
) -> None:
    page = windows.open(java_script_enabled=scripts)
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{bot.id}")
    page.get_by_role("link", name="Webhook and endpoints", exact=True).click()
    panel = page.get_by_role("article", name="Toko")
    expect(panel).to_contain_text("Deliveries to it fail.")
    expect(panel).to_contain_text("HTTP 500")
    before = len(receiver.requests)
    receiver.always = answers(200)
    panel.get_by_role("button", name="Try again now").click()
    expect(page.get_by_text("1 delivery is tried again now.")).to_be_visible()
    receiver.wait_for(before + 1)
    page.goto(f"/dashboard/deliveries/{failed.id}")
    expect_delivered(page)
    page.goto(f"/dashboard/bots/{bot.id}/webhook")
    expect(panel).not_to_contain_text("Deliveries to it fail.")


def test_a_wrong_url_is_corrected_and_what_was_given_up_is_replayed(
    served: Served, page: Page, bot: Bot, failed: Delivery, delivering: None, receiver: Receiver
) -> None:
    given_up(failed)
    with Receiver() as new:
        sign_in(page, OWNER)
        page.goto(f"/dashboard/bots/{bot.id}/webhook")
        panel = page.get_by_role("article", name="Toko")
        panel.get_by_role("link", name="Change").click()
        page.get_by_label("URL").fill(new.url)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The endpoint was changed.")).to_be_visible()
        expect(panel).to_contain_text(new.url)
        page.goto(f"/dashboard/deliveries/{failed.id}")
        page.get_by_role("button", name="Replay").click()
        expect(page.get_by_text("This is the replay.")).to_be_visible()
        (got,) = new.wait_for(1)
        assert got.update_id == 1
        expect_delivered(page)


def given_up(delivery: Delivery) -> None:
    with writing() as session:
        row = session.get_one(Delivery, delivery.seq)
        row.state, row.next_at = State.DEAD, None


def expect_delivered(page: Page) -> None:
    """The page renews itself with scripts; without, one looks again."""
    word = page.locator(".status-good").filter(has_text="delivered").first
    for _ in range(50):
        if word.is_visible():
            return
        page.wait_for_timeout(200)
        page.reload()
    expect(word).to_be_visible()


def test_the_doctor_examines_by_itself_and_its_repair_helps(
    served: Served, page: Page, bot: Bot, failed: Delivery, delivering: None, receiver: Receiver
) -> None:
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{bot.id}")
    page.get_by_role("link", name="Doctor", exact=True).click()
    for name in DOCTORS_WORDS:
        expect(page.get_by_role("heading", level=2, name=name)).to_be_visible()
    expect(page.locator("#doctor-summary")).to_have_text("1 finding needs attention.")
    expect(finding(page, "The token")).to_contain_text("Good")
    ill = finding(page, "Endpoint Toko")
    expect(ill).to_contain_text("Needs attention")
    expect(ill).to_contain_text("HTTP 500")
    before = len(receiver.requests)
    receiver.always = answers(200)
    ill.get_by_role("button", name="Try again now").click()
    expect(page).to_have_url(f"/dashboard/bots/{bot.id}/doctor")
    receiver.wait_for(before + 1)
    wait_until(lambda: now_is(failed).state is State.DELIVERED, "it is written down")
    page.get_by_role("button", name="Examine again").click()
    expect(page.locator("#doctor-summary")).to_have_text("Nothing needs attention.")
    expect(finding(page, "Endpoint Toko")).to_contain_text("Good")


def test_the_doctor_works_without_scripts(
    served: Served, windows: Windows, bot: Bot, telegram: FakeTelegram
) -> None:
    make_endpoint(bot.id, "Toko", url="http://127.0.0.1:9/hook")
    page = windows.open(java_script_enabled=False)
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{bot.id}/doctor")
    expect(page.get_by_text("Asking Telegram…")).to_be_hidden()
    telegram.always("getMe", refusal(401, "Unauthorized"))
    page.get_by_role("button", name="Examine now").click()
    ill = finding(page, "The token")
    expect(ill).to_contain_text("Telegram answered: Unauthorized")
    ill.get_by_role("link", name="Replace token").click()
    expect(page.get_by_label("New token")).to_be_visible()


def test_the_doctor_says_that_telegram_is_being_asked(
    served: Served, page: Page, bot: Bot, telegram: FakeTelegram
) -> None:
    gate = threading.Event()
    me = {"id": bot.telegram_id, "is_bot": True, "username": "tgm_test_bot"}
    telegram.always("getMe", reply({"ok": True, "result": me}, gate=gate))
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{bot.id}/doctor")
    expect(page.get_by_text("Asking Telegram…")).to_be_visible()
    expect(page.locator("#doctor-summary")).to_have_text("")
    gate.set()
    expect(finding(page, "The token")).to_contain_text("Good")
    expect(page.get_by_text("Asking Telegram…")).to_have_count(0)


def test_a_new_examination_follows_the_one_under_way(
    served: Served, page: Page, bot: Bot, telegram: FakeTelegram
) -> None:
    me = {"id": bot.telegram_id, "is_bot": True, "username": "tgm_test_bot"}
    first, second = threading.Event(), threading.Event()
    answers_in_turn = iter(
        [
            reply({"ok": False, "error_code": 401, "description": "Gone"}, 401, gate=first),
            reply({"ok": True, "result": me}, gate=second),
        ]
    )
    telegram.always("getMe", lambda _: next(answers_in_turn))
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{bot.id}/doctor")
    expect(page.get_by_text("Asking Telegram…")).to_be_visible()
    page.get_by_role("button", name="Examine again").click()
    first.set()
    expect(finding(page, "The token")).to_contain_text("Telegram answered: Gone")
    second.set()
    expect(finding(page, "The token")).to_contain_text("Good")
    expect(page.locator("#doctor-summary")).to_have_text("1 finding needs attention.")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_tabs_lead_to_a_page_each_and_fit_a_telephone(
    served: Served, windows: Windows, bot: Bot, scripts: bool
) -> None:
    page = windows.open(java_script_enabled=scripts, viewport={"width": 360, "height": 740})
    sign_in(page, OWNER)
    page.goto(f"/dashboard/bots/{bot.id}")
    tabs = page.get_by_role("navigation", name="Pages of Kasir")
    addresses = set()
    names = ["Webhook and endpoints", "Deliveries", "Requests", "Doctor", "Settings", "Overview"]
    for name in names:
        tabs.get_by_role("link", name=name, exact=True).click()
        expect(tabs.locator("[aria-current=page]")).to_have_text(name)
        addresses.add(page.url)
    assert len(addresses) == len(names)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_examination_full_of_findings_has_no_barrier(
    owners: Page, stock: Stock, telegram: FakeTelegram, barriers: Callable[..., list[str]]
) -> None:
    theirs = {
        "url": "https://evil.example.net/hook",
        "pending_update_count": 240,
        "last_error_date": int(utcnow().timestamp()) - 60,
        "last_error_message": "Wrong response from the webhook: 502 Bad Gateway " + "x" * 200,
        "ip_address": "149.154.167.220",
    }
    telegram.always("getWebhookInfo", reply({"ok": True, "result": theirs}))
    make_endpoint(stock.bot.id, "Gone", paused_because="gone", last_error="HTTP 410")
    for page in ("doctor?run=1", "webhook", ""):
        owners.goto(f"/dashboard/bots/{stock.bot.id}/{page}".rstrip("/"))
        assert faults_of_structure(owners) == []
        assert barriers(owners, VIEWS) == []
        owners.set_viewport_size({"width": 360, "height": 740})
        assert faults_of_width(owners) == []
        owners.set_viewport_size({"width": 1280, "height": 740})
