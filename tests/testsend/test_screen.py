"""The form keeps what was typed, changes its shape, and needs no script."""

import re

import pytest
from flask.testing import FlaskClient

from tests.conftest import OWNER
from tests.fakes.telegram import FakeTelegram
from tests.testsend.conftest import PAGE, Press, note_chat
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.telegram.catalog import METHODS
from tgm.testsend import draft, fields
from tgm.testsend.models import SendTemplate
from tgm.webhook.models import Chat


def labels(page: str) -> list[str]:
    found = re.findall(r"<label[^>]*>(.*?)(?:<span|</label>)", page, re.DOTALL)
    return [" ".join(text.split()) for text in found]


def test_without_a_bot_it_says_what_to_do(signed_in: FlaskClient) -> None:
    page = signed_in.get(PAGE).text
    assert "Add a bot first" in page
    assert "/dashboard/bots/add" in page


def test_it_begins_with_a_message(signed_in: FlaskClient, bot: Bot) -> None:
    page = signed_in.get(PAGE).text
    assert labels(page)[:5] == ["Bot", "Method", "Chat", "Text", "Parse mode"]
    assert re.search(r"<button[^>]*id=\"send\">Send</button>", page)


def test_the_address_can_fill_it(signed_in: FlaskClient, bot: Bot) -> None:
    page = signed_in.get(f"{PAGE}?bot={bot.id}&method=deletemessage&chat=-100123").text
    assert 'value="deleteMessage" selected' in page
    assert 'value="-100123"' in page


def test_another_teams_bot_cannot_be_chosen_by_the_address(
    signed_in: FlaskClient, bot: Bot
) -> None:
    assert signed_in.get(f"{PAGE}?bot=01HZXK3V5QJ8Y3N6M2R7T4W9AB").status_code == 404


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_form_with_all_its_parameters(method: str) -> None:
    found = fields.of(method)
    needed = [one.name for one in found if one.required]
    shown = [one.name for one in found if one.is_main]
    assert set(needed) <= set(shown)
    assert shown == [one.name for one in found][: len(shown)]


@pytest.mark.parametrize("method", [*fields.USUAL, "setMyCommands", "getMe", "logOut", "sendAudio"])
def test_each_kind_of_form_is_shown(signed_in: FlaskClient, bot: Bot, method: str) -> None:
    page = signed_in.get(f"{PAGE}?method={method}")
    assert page.status_code == 200
    for one in fields.of(method):
        assert f'="p-{one.name}"' in page.text or f'="f-{one.name}"' in page.text, one.name


def test_the_chosen_method_shows_its_fields_and_keeps_what_both_have(press: Press) -> None:
    answer = press("sendPhoto", to="/form", do="choose", p__chat_id="-100123")
    assert answer.status_code == 200
    assert "Photo" in labels(answer.text)
    assert 'value="-100123"' in answer.text


def test_send_shows_a_new_methods_fields_before_it_calls_it(press: Press) -> None:
    answer = press("deleteMessage", shown="sendMessage", p__chat_id="5")
    assert answer.status_code == 200
    assert "Message id" in labels(answer.text)


def test_a_row_and_a_button_are_added_to_the_keyboard(press: Press) -> None:
    typed = {"kb__0__0__text": "Ya", "kb__0__0__to": "y"}
    page = press(to="/form", do="row", **typed).text
    assert 'name="kb-1-0-text"' in page
    assert 'value="Ya"' in page
    page = press(to="/form", do="button-0", **typed).text
    assert 'name="kb-0-1-text"' in page


@pytest.mark.parametrize("do", ["button-" + "9" * 5000, "button-x", "button-²", "nothing", ""])
def test_a_strange_wish_changes_nothing(press: Press, do: str) -> None:
    page = press(to="/form", do=do, kb__0__0__text="Ya").text
    assert 'name="kb-0-1-text"' not in page
    assert 'value="Ya"' in page


def test_a_form_becomes_json_and_comes_back(press: Press) -> None:
    page = press(to="/form", do="json", p__chat_id="5", p__text="Halo", kb__0__0__text="Ya",
                 kb__0__0__to="y").text  # fmt: skip
    assert "Body (JSON)" in labels(page)
    assert "&#34;callback_data&#34;: &#34;y&#34;" in page
    body = '{"chat_id": 5, "reply_markup": {"inline_keyboard": [[{"text": "Ya", "url": "https://a.b"}]]}}'
    page = press(to="/form", do="fields", mode="json", body=body).text
    assert 'value="https://a.b"' in page


@pytest.mark.parametrize(
    ("body", "sentence"), [("{", "This is no JSON"), ('{"new_one": 1}', "no field for “new_one”")]
)
def test_json_that_no_form_can_hold_stays_json(press: Press, body: str, sentence: str) -> None:
    answer = press(to="/form", do="fields", mode="json", body=body)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Body (JSON)" in labels(answer.text)


def test_a_markup_that_the_builder_cannot_make_is_shown_as_json() -> None:
    markup = {"inline_keyboard": [[{"text": "Buka", "web_app": {"url": "https://a.b"}}]]}
    made = draft.of("sendMessage", {"chat_id": 5, "text": "x", "reply_markup": markup})
    assert made.body is None
    assert made.rows == ()
    assert made.parameters() == ({"chat_id": 5, "text": "x", "reply_markup": markup}, {})


def test_chats_are_found_by_name(signed_in: FlaskClient, press: Press, bot: Bot) -> None:
    note_chat(bot, -100123, "Toko <Ani>", "toko_ani")
    note_chat(bot, 7, "Warung")
    found = signed_in.get(f"{PAGE}/chats?bot={bot.id}&p-chat_id=toko").text
    assert "Toko &lt;Ani&gt;" in found
    assert "Warung" not in found
    page = press(to="/form", do="find", p__chat_id="war", p__text="Halo").text
    assert "Warung" in page
    assert "Toko" not in page
    assert "Halo" in page


def test_a_chat_is_chosen_without_a_script(press: Press, bot: Bot) -> None:
    note_chat(bot, -100123, "Toko Ani")
    page = press(to="/form", pick="-100123", p__text="Halo").text
    assert 'value="-100123"\n' in page
    assert ">Toko Ani</p>" in page


def test_the_preview_follows_the_text_and_its_mode(press: Press) -> None:
    typed = {"p__text": "<b>Halo</b> <i", "p__parse_mode": "HTML"}
    assert "<b>Halo</b> &lt;i" in press(to="/preview", **typed).text
    assert "<b>Halo</b> &lt;i" in press(to="/form", do="preview", **typed).text


def test_a_template_is_saved_opened_and_deleted(
    press: Press, signed_in: FlaskClient, bot: Bot
) -> None:
    answer = press(to="/templates", template=" Salam ", p__chat_id="5", p__text="Halo <Ani>")
    assert answer.status_code == 303
    address = answer.headers["Location"]
    page = signed_in.get(address).text
    assert "The template Salam was saved." in page
    assert "Halo &lt;Ani&gt;" in page
    template_id = address[-26:]
    page = signed_in.get(f"{PAGE}/templates/{template_id}/delete").text
    assert OWNER in page
    answer = press(to=f"/templates/{template_id}/delete")
    assert answer.status_code == 303
    assert signed_in.get(address).status_code == 404


def test_enter_in_the_field_for_a_name_saves_and_sends_nothing(
    press: Press, telegram: FakeTelegram
) -> None:
    typed = {"do": "enter", "p__chat_id": "5", "p__text": "Halo"}
    answer = press(template="Salam", **typed)
    assert "template=" in answer.headers["Location"]
    assert telegram.calls("sendMessage") == []
    # The name of the template that fills the form is no wish to save.
    assert "past=" in press(template="Salam", opened="Salam", **typed).headers["Location"]


def test_a_name_stays_while_the_form_changes_its_shape(press: Press) -> None:
    page = press("sendPhoto", to="/form", do="choose", template="Salam", opened="Pagi").text
    assert 'value="Salam"' in page
    assert 'name="opened" value="Pagi"' in page


def test_half_a_call_can_be_a_template(press: Press) -> None:
    assert press(to="/templates", template="Salam", p__text="Halo").status_code == 303


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("", "Please give a name."), ("Salam", "There is a template of this name")],
)
def test_a_name_that_cannot_be_is_refused_beside_it(press: Press, name: str, sentence: str) -> None:
    press(to="/templates", template="Salam", p__text="Halo")
    answer = press(to="/templates", template=name, p__text="Halo lagi")
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "Halo lagi" in answer.text


def test_a_template_outlives_its_bot_and_chats_do_not(
    press: Press, signed_in: FlaskClient, bot: Bot
) -> None:
    address = press(to="/templates", template="Salam", p__text="Halo").headers["Location"]
    note_chat(bot, 7, "Warung")
    bots.delete(bot.team_id, bot.id, bot.name, COMMAND_LINE)
    assert "Add a bot first" in signed_in.get(address).text
    with writing() as session:
        assert session.query(Chat).count() == 0
        assert session.query(SendTemplate).one().bot_id is None


def test_what_is_kept_of_a_secret_is_nothing(press: Press) -> None:
    press(
        "setWebhook", to="/templates", template="Hook", p__url="https://a.b", p__secret_token="xyz"
    )
    with writing() as session:
        assert session.query(SendTemplate).one().parameters == {"url": "https://a.b"}
