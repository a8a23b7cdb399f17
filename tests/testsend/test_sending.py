"""A call from the form goes the way of any other call, and its answer is shown and kept."""

import json
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from ulid import ULID

from tests.fakes.telegram import FakeTelegram, refusal, reply
from tests.making import browser_of
from tests.testsend.conftest import PAGE, Press
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db, runtime
from tgm.proxy.models import RequestLogEntry
from tgm.shared.ids import new_id
from tgm.testsend.models import SendHistory

PART = {"HX-Request": "true", "HX-Target": "compose"}


def kept() -> list[SendHistory]:
    db.session.rollback()
    return list(db.session.scalars(select(SendHistory).order_by(SendHistory.at.desc())))


def log() -> list[RequestLogEntry]:
    runtime.request_log.flush()
    db.session.rollback()
    return list(db.session.scalars(select(RequestLogEntry)))


def test_a_message_reaches_telegram_with_what_was_typed(
    press: Press, telegram: FakeTelegram, signed_in: FlaskClient
) -> None:
    answer = press(p__chat_id="-100123", p__text="Halo\r\ndunia", p__parse_mode="HTML")
    assert answer.status_code == 303
    [call] = telegram.calls("sendMessage")
    assert call.header("Content-Type") == "application/json"
    assert json.loads(call.body) == {
        "chat_id": -100123,
        "text": "Halo\ndunia",
        "parse_mode": "HTML",
    }
    page = signed_in.get(answer.headers["Location"]).text
    assert "200 OK" in page
    assert "message_id" in page
    assert "curl -X POST" in page
    assert "$TGM_API_KEY" in page


def test_a_call_stands_in_the_request_log_with_its_person(
    press: Press, owner: Person, bot: Bot
) -> None:
    press(p__chat_id="5", p__text="Halo")
    [row] = log()
    assert (row.key_id, row.bot_id, row.team_id) == (owner.id, bot.id, owner.places[0].team_id)
    assert (row.method, row.status, row.source) == ("sendMessage", 200, "telegram")


def test_a_keyboard_goes_along(press: Press, telegram: FakeTelegram) -> None:
    press(
        p__chat_id="5",
        p__text="Konfirmasi?",
        kb__0__0__text="Ya",
        kb__0__0__to="order:confirm:1",
        kb__0__1__text="",
        kb__0__1__to="",
        kb__3__0__text="Toko",
        kb__3__0__to="https://toko.example.com/",
    )
    [call] = telegram.calls("sendMessage")
    assert json.loads(call.body)["reply_markup"] == {
        "inline_keyboard": [
            [{"text": "Ya", "callback_data": "order:confirm:1"}],
            [{"text": "Toko", "url": "https://toko.example.com/"}],
        ]
    }


def test_a_photo_goes_as_a_form(press: Press, telegram: FakeTelegram) -> None:
    photo = bytes(range(256)) * 500
    answer = press(
        "sendPhoto",
        p__chat_id="5",
        p__caption="Struk ✓",
        f__photo=(BytesIO(photo), "struk 1.png", "image/png"),
    )
    assert answer.status_code == 303
    [call] = telegram.calls("sendPhoto")
    assert str(call.header("Content-Type")).startswith("multipart/form-data; boundary=")
    assert photo in call.body
    assert b'name="photo"; filename="struk 1.png"\r\nContent-Type: image/png' in call.body
    assert 'name="caption"\r\n\r\nStruk ✓\r\n'.encode() in call.body
    [row] = kept()
    assert row.left_out == {"photo": "struk 1.png"}
    assert row.parameters == {"chat_id": 5, "caption": "Struk ✓"}


def test_a_photo_may_be_one_that_telegram_has(press: Press, telegram: FakeTelegram) -> None:
    press("sendPhoto", p__chat_id="5", p__photo="AgACAgUAAx0")
    [call] = telegram.calls("sendPhoto")
    assert json.loads(call.body) == {"chat_id": 5, "photo": "AgACAgUAAx0"}


@pytest.mark.parametrize(
    ("method", "typed", "sent"),
    [
        ("getMe", {}, {}),
        (
            "deleteMessage",
            {"p__chat_id": "5", "p__message_id": "7"},
            {"chat_id": 5, "message_id": 7},
        ),
        (
            "sendLocation",
            {"p__chat_id": "5", "p__latitude": "-7,8", "p__longitude": "110.36"},
            {"chat_id": 5, "latitude": -7.8, "longitude": 110.36},
        ),
        (
            "sendPoll",
            {"p__chat_id": "@toko", "p__question": "Kopi?", "p__options": "Ya\r\n\r\n Tidak "},
            {
                "chat_id": "@toko",
                "question": "Kopi?",
                "options": [{"text": "Ya"}, {"text": "Tidak"}],
            },
        ),
        (
            "answerCallbackQuery",
            {"p__callback_query_id": "4382", "p__show_alert": "true"},
            {"callback_query_id": "4382", "show_alert": True},
        ),
        (
            "setMyCommands",
            {"p__commands": '[{"command": "start", "description": "Mulai"}]'},
            {"commands": [{"command": "start", "description": "Mulai"}]},
        ),
        (
            "sendMessage",
            {"mode": "json", "body": '{"chat_id": 5, "text": "x", "new_one": [1]}'},
            {"chat_id": 5, "text": "x", "new_one": [1]},
        ),
        ("aMethodOfTomorrow", {"mode": "json", "body": "{}"}, {}),
    ],
)
def test_each_kind_of_field_becomes_its_type(
    press: Press,
    telegram: FakeTelegram,
    method: str,
    typed: dict[str, str],
    sent: dict[str, object],
) -> None:
    telegram.always(method, reply({"ok": True, "result": True}))
    assert press(method, **typed).status_code == 303
    [call] = telegram.calls(method)
    assert json.loads(call.body) == sent


def test_the_json_tab_sends_files_that_the_body_names(press: Press, telegram: FakeTelegram) -> None:
    body = json.dumps({"chat_id": 5, "media": [{"type": "photo", "media": "attach://a.png"}]})
    answer = press(
        "sendMediaGroup",
        mode="json",
        body=body,
        f__attached=(BytesIO(b"picture"), "a.png", "image/png"),
    )
    assert answer.status_code == 303
    [call] = telegram.calls("sendMediaGroup")
    assert b'name="a.png"; filename="a.png"' in call.body
    assert b'[{"type": "photo", "media": "attach://a.png"}]' in call.body


@pytest.mark.parametrize(
    ("method", "typed", "sentence"),
    [
        ("sendMessage", {"p__chat_id": "5"}, "This is needed."),
        ("sendMessage", {"p__chat_id": "toko", "p__text": "x"}, "Please choose a chat"),
        ("deleteMessage", {"p__chat_id": "5", "p__message_id": "x"}, "Please give a whole number."),
        (
            "sendLocation",
            {"p__chat_id": "5", "p__latitude": "north", "p__longitude": "1"},
            "a number",
        ),
        ("setMyCommands", {"p__commands": "[{"}, "This is no JSON: look at line 1"),
        ("setMyCommands", {"p__commands": "{}"}, "This has to be a JSON array"),
        ("sendMessage", {"mode": "json", "body": "[]"}, "This has to be a JSON object"),
        (
            "sendMessage",
            {"mode": "json", "body": '{"text": "\\ud800"}'},
            "no JSON that can be sent",
        ),
        ("sendMessage", {"mode": "json", "body": "{" * 100_000}, "This is no JSON"),
        (
            "sendMessage",
            {"p__chat_id": "5", "p__text": "x", "kb__0__0__text": "Ya"},
            "The button “Ya” needs a URL or callback data.",
        ),
        (
            "sendMessage",
            {"p__chat_id": "5", "p__text": "x", "kb__0__0__text": "Ya", "kb__0__0__to": "é" * 33},
            "64 bytes at most",
        ),
        ("sendPhoto", {"p__chat_id": "5"}, "This is needed."),
        ("no method", {"mode": "json", "body": "{}"}, "letters only"),
        ("logOut", {}, "Please confirm that you mean it."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_sent(
    press: Press, telegram: FakeTelegram, method: str, typed: dict[str, str], sentence: str
) -> None:
    answer = press(method, **typed)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert telegram.requests == []
    assert kept() == []


def test_what_was_typed_stays(press: Press) -> None:
    page = press(p__chat_id="nobody", p__text='<b>"Halo"</b>', kb__0__0__text="Ya").text
    assert 'value="nobody"' in page
    assert "&lt;b&gt;&#34;Halo&#34;&lt;/b&gt;" in page
    assert 'value="Ya"' in page


def test_what_the_proxy_or_telegram_refuses_is_an_answer(
    press: Press, telegram: FakeTelegram, signed_in: FlaskClient
) -> None:
    telegram.replies(refusal(400, "Bad Request: chat not found"))
    answer = press(p__chat_id="5", p__text="Halo")
    page = signed_in.get(answer.headers["Location"]).text
    assert "400 Bad Request" in page
    assert "chat not found" in page


def test_a_disabled_bot_is_refused_by_the_proxys_own_policy(
    press: Press, telegram: FakeTelegram, bot: Bot, signed_in: FlaskClient
) -> None:
    bots.disable(bot.team_id, bot.id, COMMAND_LINE)
    answer = press(p__chat_id="5", p__text="Halo")
    assert "Forbidden: bot is disabled" in signed_in.get(answer.headers["Location"]).text
    assert telegram.requests == []


@pytest.mark.given(RATE_LIMIT_PER_MINUTE="2")
def test_a_person_has_the_rate_of_a_key(press: Press, telegram: FakeTelegram) -> None:
    for number in range(3):
        press(p__chat_id="5", p__text=f"Halo {number}")
    assert len(telegram.calls("sendMessage")) == 2
    assert kept()[0].status == 429


def test_another_teams_bot_is_not_there(press: Press, app: Flask) -> None:
    assert press(bot=str(new_id())).status_code == 404


def test_a_viewer_may_not_send(app: Flask, owner: Person, bot: Bot) -> None:
    viewer = browser_of(app, owner.places[0].team_id, Role.VIEWER)
    assert viewer.get(PAGE).status_code == 403


def test_a_member_may_send_but_not_break_how_the_bot_receives(
    app: Flask, owner: Person, bot: Bot, telegram: FakeTelegram
) -> None:
    member = browser_of(app, owner.places[0].team_id, Role.MEMBER)
    press = _press_of(member, bot)
    press("sendMessage", p__chat_id="5", p__text="Halo")
    press("close", sure="yes")
    assert [row.status for row in kept()] == [403, 200]
    assert telegram.calls("close") == []


def test_an_admin_who_means_it_may(press: Press, telegram: FakeTelegram) -> None:
    press("close", sure="yes")
    assert len(telegram.calls("close")) == 1


@pytest.mark.parametrize("method", ["getUpdates", "setWebhook", "deleteWebhook"])
def test_what_programs_receive_is_no_persons_affair(
    press: Press, telegram: FakeTelegram, method: str
) -> None:
    press(method, p__url="https://a.b")
    assert [row.status for row in kept()] == [403]
    assert telegram.requests == []


def test_how_telegram_sees_the_bots_webhook_a_person_may_ask(
    press: Press, telegram: FakeTelegram
) -> None:
    press("getWebhookInfo")
    assert len(telegram.calls("getWebhookInfo")) == 1


def test_the_same_press_twice_sends_once(press: Press, telegram: FakeTelegram) -> None:
    once = str(new_id())
    first = press(p__chat_id="5", p__text="Halo", once=once)
    second = press(p__chat_id="5", p__text="Halo", once=once)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(telegram.calls("sendMessage")) == 1


def test_another_text_is_another_call_whatever_the_form_was(
    press: Press, telegram: FakeTelegram
) -> None:
    once = str(new_id())
    press(p__chat_id="5", p__text="Halo", once=once)
    press(p__chat_id="5", p__text="Halo lagi", once=once)
    texts = [row.parameters["text"] for row in kept()]
    assert texts == ["Halo lagi", "Halo"]


def test_nobody_sees_what_a_colleague_has_sent(
    app: Flask, owner: Person, bot: Bot, press: Press, signed_in: FlaskClient
) -> None:
    address = press(p__chat_id="5", p__text="rahasia").headers["Location"]
    other = browser_of(app, owner.places[0].team_id, Role.MEMBER)
    assert other.get(address).status_code == 404
    assert other.post(f"{PAGE}/again/{ULID.from_str(address[-26:])}").status_code in {400, 404}


def test_the_last_twenty_are_kept(press: Press) -> None:
    for number in range(22):
        press(p__chat_id="5", p__text=f"Nummer {number}")
    texts = [row.parameters["text"] for row in kept()]
    assert texts == [f"Nummer {number}" for number in range(21, 1, -1)]


def test_a_past_call_is_sent_again_as_it_was(
    press: Press, telegram: FakeTelegram, signed_in: FlaskClient
) -> None:
    press(p__chat_id="5", p__text="Halo")
    [row] = kept()
    assert press(to=f"/again/{row.id}", once=str(new_id())).status_code == 303
    first, second = telegram.calls("sendMessage")
    assert first.body == second.body


def test_a_past_call_with_a_file_waits_for_its_file(
    press: Press, telegram: FakeTelegram, signed_in: FlaskClient
) -> None:
    press("sendPhoto", p__chat_id="5", f__photo=(BytesIO(b"x"), "struk.png"))
    [row] = kept()
    answer = press(to=f"/again/{row.id}")
    page = signed_in.get(answer.headers["Location"]).text
    assert "struk.png" in page
    assert "Please complete it" in page
    assert len(telegram.requests) == 1


def test_secrets_are_sent_but_not_kept(
    press: Press, telegram: FakeTelegram, signed_in: FlaskClient
) -> None:
    asked = {"p__title": "Kopi", "p__description": "1 kg", "p__payload": "7", "p__currency": "IDR"}
    prices = '[{"label": "Kopi", "amount": 100}]'
    press("createInvoiceLink", p__provider_token="s3cret-of-mine", p__prices=prices, **asked)
    [call] = telegram.calls("createInvoiceLink")
    assert b"s3cret-of-mine" in call.body
    [row] = kept()
    assert row.left_out == {"provider_token": ""}
    assert "s3cret-of-mine" not in str(vars(row))


def test_an_answer_that_holds_a_token_is_shown_once(
    press: Press, telegram: FakeTelegram, signed_in: FlaskClient
) -> None:
    telegram.always("getManagedBotToken", reply({"ok": True, "result": "77:AAsecret"}))
    answer = press("getManagedBotToken", p__user_id="77")
    assert answer.status_code == 200
    assert "77:AAsecret" in answer.text
    [row] = kept()
    assert row.answer is None
    assert "77:AAsecret" not in signed_in.get(f"{PAGE}?past={row.id}").text


def test_hostile_answers_are_only_text(
    press: Press, telegram: FakeTelegram, signed_in: FlaskClient
) -> None:
    telegram.replies(reply({"ok": True, "result": "</pre><script>alert(1)</script>\u0000\ud800"}))
    page = signed_in.get(press(p__chat_id="5", p__text="x").headers["Location"])
    assert page.status_code == 200
    assert "<script>alert" not in page.text


def test_with_a_script_the_answer_comes_into_the_page(press: Press) -> None:
    answer = press(p__chat_id="5", p__text="Halo", headers=PART)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert 'hx-swap-oob="innerHTML:#answer-state"' in answer.text
    assert answer.headers["HX-Replace-Url"] == f"{PAGE}?past={kept()[0].id}"


def test_a_file_that_is_too_large_is_said_to_be_so(
    bot: Bot, signed_in: FlaskClient, telegram: FakeTelegram
) -> None:
    large = {
        "environ_overrides": {"CONTENT_LENGTH": str(runtime.settings.max_body_bytes + 1)},
        "content_type": "multipart/form-data; boundary=x",
    }
    answer = signed_in.post(PAGE, headers=PART, **large)
    assert answer.status_code == 413
    assert "50 MB at most" in answer.text
    assert answer.headers["HX-Retarget"] == "#send-error"
    assert "50 MB at most" in signed_in.post(PAGE, **large).text


def _press_of(client: FlaskClient, bot: Bot) -> Press:
    from tests.browsing import submit

    def press(method: str, **typed: str) -> object:
        fields = {name.replace("__", "-"): value for name, value in typed.items()}
        return submit(
            client, PAGE, bot=str(bot.id), method=method, shown=method, mode="form", **fields
        )

    return press  # type: ignore[return-value]
