"""Live pages under the real server: what comes over the wire, and what it costs the others."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import csrf_token
from tests.fakes.process import process
from tests.fakes.serving import Served
from tests.fakes.telegram import FakeTelegram, Recorded, Reply, reply
from tests.live.listening import AGENT, ask, cookie_of, listening, wait_until
from tests.making import browser_of
from tests.proxy.test_request_log import a_row
from tests.webhook.rows import an_update, make_attempt, make_delivery
from tgm.audit.service import COMMAND_LINE
from tgm.auth import people
from tgm.auth.roles import Role
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.live.hub import Hub
from tgm.webhook.models import Endpoint

LIST = "/dashboard/deliveries"


def status(served: Served, cookie: str) -> int:
    """Return how the list's stream is answered, and close it."""
    asked = ask(served, LIST, cookie)
    asked.connection.close()
    return asked.status


def test_a_new_delivery_reaches_an_open_page(
    served: Served, cookie: str, endpoint: Endpoint
) -> None:
    make_delivery(endpoint, an_update(101, "Pesan pertama"))
    with listening(served, LIST, cookie) as stream:
        stream.wait_for_page("Pesan pertama")
        make_delivery(endpoint, an_update(102, "Pesan kedua"))
        stream.wait_for_page("Pesan kedua")
        assert stream.pages[-1].strip().startswith('<section id="delivery-list"')
    head = stream.head.lower()
    assert "content-type: text/event-stream" in head
    assert "cache-control: no-store" in head
    assert "x-accel-buffering: no" in head
    assert "content-security-policy" in head
    assert stream.got.startswith(b"retry: ")


def test_an_attempt_changes_a_row_that_is_shown(
    served: Served, cookie: str, endpoint: Endpoint
) -> None:
    delivery = make_delivery(endpoint, an_update(101), attempts_made=1, last_error="timeout")
    with listening(served, LIST, cookie) as stream:
        stream.wait_for_page("timeout")
        make_attempt(delivery)
        # The rows are what they were: a page is sent where it differs.
        make_delivery(endpoint, an_update(102))
        stream.wait_for_page(">102<")


def test_a_call_reaches_an_open_list_of_requests(served: Served, cookie: str, team: ULID) -> None:
    with listening(served, "/dashboard/requests", cookie) as stream:
        stream.wait_for_page("No calls yet")
        runtime.request_log.add(a_row(team_id=str(team), method="getChat"))
        stream.wait_for_page("getChat")


def test_a_bots_own_list_is_live_too_with_its_filter(
    served: Served, cookie: str, bot: Bot, endpoint: Endpoint
) -> None:
    with listening(served, f"/dashboard/bots/{bot.id}/deliveries?q=kedua", cookie) as stream:
        stream.wait_for_page("No delivery matches")
        make_delivery(endpoint, an_update(101, "Pesan pertama"))
        make_delivery(endpoint, an_update(102, "Pesan kedua"))
        stream.wait_for_page("Pesan kedua")
        assert "Pesan pertama" not in "".join(stream.pages)


def test_each_reader_gets_their_own_language_and_zone(
    served: Served, cookie: str, endpoint: Endpoint
) -> None:
    make_delivery(endpoint, an_update(101))
    with (
        listening(served, LIST, f"{cookie}; tgm_zone=Asia%2FJakarta") as jakarta,
        listening(served, LIST, cookie) as utc,
    ):
        assert jakarta.wait_for_page(">101<").pages != utc.wait_for_page(">101<").pages


EVIL = [
    "<script>alert(1)</script>",
    "a\n\ndata: forged\n\nevent: message\n",
    "a\r\rdata: forged\r",
    "\u202eegassem\u202c\u2028next\u0085line",
    "x" * 20_000,
]


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_what_others_wrote_ends_no_event_and_puts_no_markup_in(
    served: Served, cookie: str, endpoint: Endpoint, text: str
) -> None:
    make_delivery(endpoint, an_update(101, text), last_error=text[:255])
    with listening(served, LIST, cookie) as stream:
        page = stream.wait_for_page(">101<").pages[0]
    assert "<script" not in page
    assert not any(line.startswith(b"data: forged") for line in stream.got.split(b"\n\n"))
    shown = unescape(page)
    assert all(part in shown for part in text[:40].replace("\r", "\n").split("\n"))


def test_bytes_that_are_no_text_pass_through(
    served: Served, cookie: str, endpoint: Endpoint
) -> None:
    make_delivery(endpoint, b'{"update_id":101,"message":{"text":"\\ud800 odd"}}')
    with listening(served, LIST, cookie) as stream:
        stream.wait_for_page("odd")


@pytest.mark.given(THREADS="4")
def test_streams_hold_no_threads(
    served: Served, hub: Hub, cookie: str, bot: Bot, team: ULID
) -> None:
    key = keys.make(team, Rights("Shop"), COMMAND_LINE)[1].value
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(listening(served, LIST, cookie))
        wait_until(lambda: len(hub) == 10, "ten streams are open")
        assert (
            served.call("POST", f"/api/v1/bots/{bot.id}/getMe", b"", {"X-API-Key": key}).status
            == 200
        )
        assert "tgm-live" in {thread.name for thread in threading.enumerate()}
    wait_until(lambda: len(hub) == 0, "streams that are closed are forgotten")


def test_fifty_open_pages_and_a_hundred_calls_at_once(
    served: Served,
    telegram: FakeTelegram,
    cookie: str,
    bot: Bot,
    endpoint: Endpoint,
    team: ULID,
    pace: Callable[..., None],
) -> None:
    pace(most_each=50)
    key = keys.make(team, Rights("Shop", per_minute=1000), COMMAND_LINE)[1].value

    def slow(_asked: Recorded) -> Reply:
        time.sleep(0.05)
        return reply({"ok": True, "result": True})

    telegram.always("sendMessage", slow)
    body = json.dumps({"chat_id": 1, "text": "Halo"}).encode()
    sent = {"X-API-Key": key, "Content-Type": "application/json"}
    with ExitStack() as stack, ThreadPoolExecutor(100) as callers:
        streams = [stack.enter_context(listening(served, LIST, cookie)) for _ in range(50)]
        for stream in streams:
            stream.wait_for_page("No deliveries yet")
        calls = [
            callers.submit(served.call, "POST", f"/api/v1/bots/{bot.id}/sendMessage", body, sent)
            for _ in range(100)
        ]
        make_delivery(endpoint, an_update(101, "Pesan baru"))
        assert {call.result().status for call in calls} == {200}
        for stream in streams:
            stream.wait_for_page("Pesan baru")


def test_nobody_but_the_team_hears(served: Served, app: Flask, endpoint: Endpoint) -> None:
    assert status(served, "tgm_session=nobody") == 302


def test_a_stream_ends_when_its_person_is_removed(
    served: Served,
    app: Flask,
    hub: Hub,
    team: ULID,
    pace: Callable[..., None],
) -> None:
    pace(ask_again=0.1)
    viewer = browser_of(app, team, Role.VIEWER)
    with listening(served, LIST, cookie_of(viewer)) as stream:
        stream.wait_for_page("No deliveries yet")
        people.remove_user("viewer@example.com", None, COMMAND_LINE)
        stream.wait_for_end()
    wait_until(lambda: len(hub) == 0, "the stream is forgotten")


def test_a_stream_ends_when_its_person_signs_out(
    served: Served, signed_in: FlaskClient, pace: Callable[..., None]
) -> None:
    pace(ask_again=0.1)
    with listening(served, LIST, cookie_of(signed_in)) as stream:
        stream.wait_for_page("No deliveries yet")
        token = csrf_token(signed_in.get(LIST))
        signed_in.post("/auth/sign-out", data={"csrf_token": token})
        stream.wait_for_end()


def test_streams_end_in_time_and_can_be_opened_again(
    served: Served, cookie: str, endpoint: Endpoint, pace: Callable[..., None]
) -> None:
    pace(lifetime=0.5)
    for _ in range(2):
        with listening(served, LIST, cookie) as stream:
            stream.wait_for_end()
            assert stream.got.endswith(b"\n\n")
            assert len(stream.pages) == 1


def test_a_quiet_stream_is_kept_alive(
    served: Served, cookie: str, pace: Callable[..., None]
) -> None:
    pace(heartbeat=0.05)
    with listening(served, LIST, cookie) as stream:
        stream.wait_for(lambda own: own.got.count(b"\n:\n\n") >= 3)
        assert len(stream.pages) == 1


def test_too_many_streams_are_refused(
    served: Served, hub: Hub, cookie: str, pace: Callable[..., None]
) -> None:
    pace(most_each=2)
    with listening(served, LIST, cookie), listening(served, LIST, cookie) as second:
        wait_until(lambda: len(hub) == 2, "two streams are open")
        assert status(served, cookie) == 503
        second.connection.close()
        wait_until(lambda: len(hub) == 1, "a closed stream makes room")
        with listening(served, LIST, cookie) as third:
            third.wait_for_page("No deliveries yet")


def test_who_reads_nothing_is_dropped_and_the_others_are_not_kept_waiting(
    served: Served, hub: Hub, cookie: str, endpoint: Endpoint, pace: Callable[..., None]
) -> None:
    pace(patience=0.5, heartbeat=100, interval=0.01, busy_interval=0.01)
    deaf = ask(served, LIST, cookie, SO_RCVBUF=4096)
    with listening(served, LIST, cookie) as stream:
        wait_until(lambda: len(hub) == 2, "both are open")
        for number in range(100, 20_000, 100):
            # A page of which no row was there before.
            for place in range(50):
                make_delivery(endpoint, an_update(number - place, "y" * 80))
            stream.wait_for_page(f">{number}<")
            if len(hub) == 1:
                break
        assert len(hub) == 1, "the one who reads nothing is still there"
    deaf.connection.close()


def test_what_comes_after_it_on_the_connection_harms_nothing(
    served: Served, hub: Hub, cookie: str, endpoint: Endpoint, pace: Callable[..., None]
) -> None:
    pace(heartbeat=0.1)
    more = b"GET /auth/sign-in HTTP/1.1\r\nHost: tgm\r\n\r\n" * 20
    stream = ask(served, LIST, cookie, more=more)
    stream.wait_for_page("No deliveries yet")
    make_delivery(endpoint, an_update(101))
    stream.wait_for_page(">101<")
    assert "Sign in" not in stream.got.decode()
    stream.connection.close()
    # Nothing more is read from it: the next heartbeats tell.
    wait_until(lambda: len(hub) == 0, "its end is noticed")


def test_an_old_client_gets_it_without_frames(served: Served, cookie: str) -> None:
    stream = ask(served, LIST, cookie, http="1.0")
    assert "chunked" not in stream.head
    stream.connection.settimeout(20)
    got = b""
    while b"No deliveries yet" not in got:
        got += stream.connection.recv(65536) or pytest.fail(f"closed after {got[-200:]!r}")
    assert b"\ndata: " in got
    stream.connection.close()


def test_a_head_request_opens_nothing(served: Served, hub: Hub, cookie: str) -> None:
    headers = {"Accept": "text/event-stream", "Cookie": cookie, "User-Agent": AGENT}
    assert served.call("HEAD", LIST, headers=headers).status == 200
    assert len(hub) == 0


def test_elsewhere_it_is_one_event_and_ends(signed_in: FlaskClient, hub: Hub) -> None:
    answer = signed_in.get(LIST, headers={"Accept": "text/event-stream"})
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    assert answer.data.startswith(b"retry: 2000\n\n")
    assert answer.text.count("delivery-list") > 0
    assert len(hub) == 0


def test_streams_end_when_the_hub_stops(served: Served, hub: Hub, cookie: str) -> None:
    others = set(threading.enumerate())
    with listening(served, LIST, cookie) as stream:
        stream.wait_for_page("No deliveries yet")
        hub.stop()
        stream.wait_for_end()
    assert "tgm-live" not in {thread.name for thread in set(threading.enumerate()) - others}


def test_a_process_ends_promptly_with_streams_open(
    environ: dict[str, str], cookie: str, tmp_path: Path
) -> None:
    with process(environ, tmp_path / "log") as running, ExitStack() as stack:
        streams = [stack.enter_context(listening(running.served, LIST, cookie)) for _ in range(5)]
        for stream in streams:
            stream.wait_for_page("No deliveries yet")
        began = time.monotonic()
        assert running.end() == 0
        assert time.monotonic() - began < 10
        for stream in streams:
            stream.wait_for_end()
    assert "Traceback" not in (tmp_path / "log").read_text()
