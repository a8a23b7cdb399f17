"""The live list, one delivery, and replay, used as a browser without JavaScript does."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import csrf_token, submit
from tests.ending import PATIENCE
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import browser_of, make_team
from tests.webhook.rows import SIGNATURE, an_update, make_attempt, make_delivery, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.security.secret import Secret
from tgm.security.signing import headers
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.webhook import reading
from tgm.webhook.models import Delivery, Endpoint, State
from tgm.webhook.replaying import replays

LIST = "/dashboard/deliveries"
HTMX = {"HX-Request": "true"}
Make = Callable[..., Delivery]


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
def foreign(owner: Person, telegram: FakeTelegram) -> Delivery:
    """A delivery of another team's."""
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    bot = bots.add(make_team("Warung"), OTHER_TOKEN, None, COMMAND_LINE)
    return make_delivery(make_endpoint(bot.id, "Warung"), an_update(666, "rahasia warung"))


def shown(client: FlaskClient, query: str = "") -> list[int]:
    """Return the update_ids of the list, in its order."""
    page = client.get(LIST + query)
    assert page.status_code == 200
    return [int(found) for found in re.findall(r'/dashboard/deliveries/\w{26}">(\d+)<', page.text)]


def test_without_deliveries_it_says_what_will_be_there(signed_in: FlaskClient) -> None:
    assert "No deliveries yet" in signed_in.get(LIST).text


def test_the_newest_comes_first_with_its_facts(signed_in: FlaskClient, endpoint: Endpoint) -> None:
    make_delivery(endpoint, an_update(101, "Pesan pertama"))
    make_delivery(
        endpoint, an_update(102), state=State.DEAD, attempts_made=10, last_error="timeout"
    )
    assert shown(signed_in) == [102, 101]
    page = signed_in.get(LIST).text
    for fact in ("Pesan pertama", "Toko", "Test bot", "523067421", "given up", "timeout"):
        assert fact in page


def test_every_page_is_there_in_indonesian(signed_in: FlaskClient, endpoint: Endpoint) -> None:
    delivery = make_delivery(endpoint, an_update(101), state=State.DEAD)
    make_attempt(delivery)
    for page, words in (
        ("", "Pengiriman, yang terbaru lebih dulu"),
        (f"/{delivery.id}", "Verifikasi signature"),
        ("/replay", "1 update dikirim ulang"),
    ):
        answer = signed_in.get(LIST + page, headers={"Accept-Language": "id"})
        assert words in answer.text


def test_only_the_first_page_renews_itself(signed_in: FlaskClient, endpoint: Endpoint) -> None:
    for number in range(52):
        make_delivery(endpoint, an_update(number))
    page = signed_in.get(f"{LIST}?state=due").text
    head = page.split('id="delivery-list"')[1].split(">")[0]
    assert f'data-live="{LIST}?state=due"' in head
    link = unescape(page.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0])
    assert "state=due" in link
    older = signed_in.get(link).text
    assert "data-live" not in older
    assert shown(signed_in, "?" + link.partition("?")[2]) == [1, 0]
    assert shown(signed_in) == list(range(51, 1, -1))


def test_htmx_gets_the_list_alone_with_what_is_new(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    make_delivery(endpoint, an_update(101))
    signed_in.get(LIST)
    make_delivery(endpoint, an_update(102))
    part = signed_in.get(LIST, headers=HTMX).text
    assert part.strip().startswith('<section id="delivery-list"')
    assert "<html" not in part
    assert ">102<" in part


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=101", [101]),
        ("?q=-100200", [102]),
        ("?q=bakso", [103]),
        ("?q=BAKSO", [103]),
        ("?q=2437234", [104]),
        ("?q=100%25", []),
        ("?chat=-100200", [102]),
        ("?state=delivered", [103]),
        ("?kind=message", [104, 103, 102, 101]),
        ("?kind=poll", []),
        ("?kind=message&state=due&q=102", [102]),
    ],
)
def test_the_filter_and_the_search_stand_in_the_address(
    signed_in: FlaskClient, endpoint: Endpoint, query: str, found: list[int]
) -> None:
    make_delivery(endpoint, an_update(101, "satu"))
    make_delivery(endpoint, an_update(102, "dua", chat_id=-100200))
    make_delivery(endpoint, an_update(103, "Bakso urat"), state=State.DELIVERED)
    make_delivery(endpoint, an_update(104, "order:confirm:2437234"))
    assert shown(signed_in, query) == found
    for name, value in re.findall(r"(\w+)=(\w+)$", query):
        assert re.search(
            rf'(name="{name}"[^>]*value="{value}"|selected value="{value}")',
            signed_in.get(LIST + query).text,
        )


def test_it_filters_by_bot_endpoint_and_time(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint
) -> None:
    staging = make_endpoint(bot.id, "Staging")
    make_delivery(endpoint, an_update(1), at=utcnow() - timedelta(days=2))
    make_delivery(staging, an_update(2))
    yesterday = (utcnow() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert shown(signed_in, f"?to={staging.id}") == [2]
    assert shown(signed_in, f"?bot={bot.id}") == [2, 1]
    assert shown(signed_in, f"?bot={new_id()}") == []
    assert shown(signed_in, f"?since={yesterday}") == [2]
    assert shown(signed_in, f"?until={yesterday}") == [1]


@pytest.mark.parametrize(
    "query",
    [
        "?q=%00",
        "?bot=x",
        "?state=odd",
        "?kind=<script>",
        "?chat=9999999999999999999999",
        "?chat=x",
        "?q=99999999999999999999999",
        "?since=never",
        "?before=x",
        "?to=%27",
    ],
)
def test_a_filter_that_makes_no_sense_breaks_nothing(
    signed_in: FlaskClient, endpoint: Endpoint, query: str
) -> None:
    make_delivery(endpoint, an_update(1))
    assert "<script>" not in signed_in.get(LIST + query).text
    assert shown(signed_in, query) in ([], [1])


def test_the_detail_shows_the_update_and_every_attempt(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    delivery = make_delivery(endpoint, an_update(101, "Kopi ☕ <b>tebal</b>"), attempts_made=2)
    make_attempt(delivery, 1)
    make_attempt(delivery, 2, status=None, error="timeout", response_body=None, milliseconds=15000)
    page = signed_in.get(f"{LIST}/{delivery.id}").text
    for fact in (SIGNATURE, "1234 ms", "15000 ms", "timeout", "Server: toko/1", "database is down"):
        assert fact in page
    assert "<b>tebal" not in page
    shown_json = page.split('id="update-json"')[1].partition(">")[2].partition("</pre>")[0]
    assert json.loads(unescape(shown_json)) == json.loads(an_update(101, "Kopi ☕ <b>tebal</b>"))
    assert "Kopi ☕" in shown_json
    assert "\n  &#34;message&#34;: {\n" in shown_json


def test_what_others_wrote_cannot_put_markup_into_a_page(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    evil = "<script>alert(1)</script>"
    delivery = make_delivery(endpoint, an_update(101, evil), last_error=evil)
    make_attempt(delivery, response_body=evil.encode(), response_headers=[[evil, evil]])
    for path in (LIST, f"{LIST}/{delivery.id}"):
        assert "<script>alert" not in signed_in.get(path).text


@pytest.mark.parametrize(
    "raw", [b'{"update_id":1,"message":{"text":"\\ud800"}}', b'{"update_id":1}', b"\xff\xfe", b"["]
)
def test_any_bytes_can_be_shown(raw: bytes) -> None:
    assert reading.pretty(raw).encode()


def test_binary_answers_of_a_receiver_can_be_shown(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    delivery = make_delivery(endpoint, an_update(101))
    make_attempt(delivery, response_body=b"\xff\x00\x9f", response_headers=None)
    assert signed_in.get(f"{LIST}/{delivery.id}").status_code == 200


def test_the_detail_renews_itself_until_the_delivery_is_over(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    for state, renews in ((State.DUE, True), (State.DELIVERED, False), (State.DEAD, False)):
        delivery = make_delivery(endpoint, an_update(len(state)), state=state)
        page = signed_in.get(f"{LIST}/{delivery.id}").text
        assert ("hx-get" in page.split('id="delivery-status"')[1].split(">")[0]) is renews
        part = signed_in.get(f"{LIST}/{delivery.id}", headers=HTMX).text
        assert part.strip().startswith('<div id="delivery-status"')
        assert "update-json" not in part


def samples(client: FlaskClient, delivery: Delivery) -> dict[str, str]:
    """Return the page's code samples by id."""
    page = client.get(f"{LIST}/{delivery.id}").text
    found = re.findall(r'<code id="(verify-\w+)">(.*?)</code>', page, re.DOTALL)
    return {name: unescape(code) for name, code in found}


@pytest.mark.parametrize(("body_sent", "verifies"), [(b'{"a": 1}', True), (b'{"a":1}', False)])
def test_the_samples_verify_what_is_really_sent(
    signed_in: FlaskClient, endpoint: Endpoint, body_sent: bytes, verifies: bool
) -> None:
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    sent = headers(b'{"a": 1}', secrets=[secret], webhook_id="x", timestamp=1)
    code = samples(signed_in, make_delivery(endpoint, an_update(1)))
    signature = sent["X-Webhook-Signature"]
    python = f"{code['verify-python']}\nprint(is_from_tgm({body_sent!r}, {signature!r}))"
    environ = {"PATH": os.environ["PATH"], "TGM_WEBHOOK_SECRET": secret.value}
    ran = subprocess.run(
        [sys.executable, "-c", python],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert ran.stdout.strip() == str(verifies)
    # The API page's example, with its verdict caught: a receiver's own frame stands around it.
    node = (
        f"{code['verify-node'].partition(chr(10))[0]}\n"
        f"const rawBody = {body_sent.decode()!r};"
        f"const req = {{headers: {{'x-webhook-signature': {signature!r}}}}};"
        "const res = {status: (code) => ({end: () => String(code)})};"
        f"console.log((() => {{ {code['verify-node'].partition(chr(10))[2]}\nreturn 'good'; }})());"
    )
    try:
        ran = subprocess.run(
            ["node", "--input-type=module", "-e", node],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    except FileNotFoundError:
        pytest.skip("node is not installed")
    assert ran.stdout.strip() == ("good" if verifies else "403")


def test_a_replay_is_a_new_delivery_that_names_its_origin(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    delivery = make_delivery(endpoint, an_update(101), state=State.DEAD)
    detail = f"{LIST}/{delivery.id}"
    answer = submit(signed_in, detail, f"{detail}/replay")
    assert answer.status_code == 303
    made = answer.headers["Location"]
    assert made != detail
    assert f'href="{detail}"' in signed_in.get(made).text
    assert f'href="{made}"' in signed_in.get(detail).text
    assert shown(signed_in) == [101, 101]


def test_replaying_all_asks_first_and_keeps_the_filter(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    for number in range(3):
        make_delivery(endpoint, an_update(number), state=State.DEAD)
    make_delivery(endpoint, an_update(9), state=State.DELIVERED)
    link = re.search(rf'href="({LIST}/replay[^"]*)"', signed_in.get(f"{LIST}?state=dead").text)
    assert link is not None
    page = unescape(link.group(1))
    asked = signed_in.get(page).text
    assert "3 updates" in asked
    assert "given up" in asked
    assert len(shown(signed_in)) == 4
    answer = submit(signed_in, page)
    assert answer.status_code == 303
    progress = answer.headers["Location"]
    replays.join(20)
    part = signed_in.get(progress, headers=HTMX).text
    assert "3 of 3" in part
    assert part.strip().startswith('<section id="replay-progress"')
    assert signed_in.get(progress).status_code == 200
    assert len(shown(signed_in)) == 7
    assert shown(signed_in, "?state=due") == [2, 1, 0]


def test_nothing_to_replay_offers_no_button(signed_in: FlaskClient, endpoint: Endpoint) -> None:
    page = signed_in.get(f"{LIST}/replay?state=dead").text
    assert "Nothing matches" in page
    assert f'action="{LIST}/replay' not in page


def test_another_teams_deliveries_do_not_exist(
    signed_in: FlaskClient, endpoint: Endpoint, foreign: Delivery
) -> None:
    make_delivery(endpoint, an_update(1), state=State.DEAD)
    assert shown(signed_in) == [1]
    assert shown(signed_in, "?q=rahasia") == shown(signed_in, f"?bot={foreign.bot_id}") == []
    assert shown(signed_in, f"?to={foreign.endpoint_id}") == []
    assert "Warung" not in signed_in.get(LIST).text
    token = csrf_token(signed_in.get(LIST))
    for delivery_id in (foreign.id, new_id()):
        assert signed_in.get(f"{LIST}/{delivery_id}").status_code == 404
        answer = signed_in.post(f"{LIST}/{delivery_id}/replay", data={"csrf_token": token})
        assert answer.status_code == 404
    assert signed_in.get(f"{LIST}/replays/{new_id()}").status_code == 404
    assert "Nothing matches" in signed_in.get(f"{LIST}/replay?bot={foreign.bot_id}").text


def test_a_viewer_reads_and_replays_nothing(app: Flask, team: ULID, endpoint: Endpoint) -> None:
    delivery = make_delivery(endpoint, an_update(1), state=State.DEAD)
    viewer = browser_of(app, team, Role.VIEWER)
    for path in (LIST, f"{LIST}/{delivery.id}"):
        page = viewer.get(path)
        assert page.status_code == 200
        assert "/replay" not in page.text
    token = csrf_token(viewer.get(LIST))
    for path in (f"{LIST}/{delivery.id}/replay", f"{LIST}/replay"):
        assert viewer.post(path, data={"csrf_token": token}).status_code == 403
    assert viewer.get(f"{LIST}/replay").status_code == 403
    assert shown(viewer) == [1]
    member = browser_of(app, team, Role.MEMBER)
    detail = f"{LIST}/{delivery.id}"
    assert submit(member, detail, f"{detail}/replay").status_code == 303


def test_a_post_without_the_forms_token_replays_nothing(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    delivery = make_delivery(endpoint, an_update(1), state=State.DEAD)
    assert signed_in.post(f"{LIST}/{delivery.id}/replay").status_code == 400
    assert signed_in.post(f"{LIST}/replay").status_code == 400
    assert shown(signed_in) == [1]


def test_a_bots_tab_shows_its_own_deliveries_only(
    signed_in: FlaskClient, team: ULID, bot: Bot, endpoint: Endpoint, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    other = make_endpoint(bots.add(team, OTHER_TOKEN, None, COMMAND_LINE).id, "Gudang")
    make_delivery(endpoint, an_update(101))
    make_delivery(other, an_update(102))
    tab = f"/dashboard/bots/{bot.id}/deliveries"
    page = signed_in.get(tab).text
    assert ">101</a>" in page
    assert ">102</a>" not in page
    assert "Gudang" not in page
    assert f'href="{LIST}/replay?bot={bot.id}"' in page
    assert signed_in.get(f"{tab}?bot={other.bot_id}").text.count(">102</a>") == 0
    assert signed_in.get(f"/dashboard/bots/{new_id()}/deliveries").status_code == 404


def test_a_delivery_opens_beside_the_list(
    signed_in: FlaskClient, endpoint: Endpoint, foreign: Delivery
) -> None:
    delivery = make_delivery(endpoint, an_update(101))
    page = signed_in.get(f"{LIST}?open={delivery.id}&state=due").text
    panel = page.split('id="detail-panel"')[1]
    assert "Update 101" in panel
    assert f'href="{LIST}?state=due" data-close-panel' in panel
    part = signed_in.get(f"{LIST}/{delivery.id}?in=panel", headers=HTMX).text
    assert "update-json" in part
    assert "<h1" not in part
    for odd in (foreign.id, new_id(), "x"):
        answer = signed_in.get(f"{LIST}?open={odd}")
        assert answer.status_code == 200
        assert "update-json" not in answer.text


def test_a_test_update_goes_to_the_chosen_endpoint(
    signed_in: FlaskClient, bot: Bot, endpoint: Endpoint, foreign: Delivery
) -> None:
    make_endpoint(bot.id, "Paused", paused_because="person")
    page = signed_in.get(f"{LIST}/test").text
    assert "Toko" in page
    assert "Paused" not in page
    assert "Warung" not in page
    answer = submit(signed_in, f"{LIST}/test", to=str(endpoint.id), what="button")
    assert answer.status_code == 303
    shown_page = signed_in.get(answer.headers["Location"]).text
    assert "callback_query" in shown_page
    for wrong in (str(foreign.endpoint_id), "", "x"):
        assert submit(signed_in, f"{LIST}/test", to=wrong, what="button").status_code == 422


def test_without_an_endpoint_no_test_update_can_be_sent(signed_in: FlaskClient) -> None:
    assert "No endpoint takes updates" in signed_in.get(f"{LIST}/test").text


def test_an_attempt_that_is_far_away_is_waited_for_with_patience(
    signed_in: FlaskClient, endpoint: Endpoint
) -> None:
    near = make_delivery(endpoint, an_update(1), next_at=utcnow())
    far = make_delivery(endpoint, an_update(2), next_at=utcnow() + timedelta(hours=1))
    assert 'hx-trigger="every 2s"' in signed_in.get(f"{LIST}/{near.id}").text
    assert 'hx-trigger="every 15s"' in signed_in.get(f"{LIST}/{far.id}").text
