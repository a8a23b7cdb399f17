"""What is typed becomes a call, and a call becomes what was typed."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tests.browsing import sign_in
from tests.conftest import OWNER
from tests.making import PASSWORD
from tests.testsend.conftest import PAGE
from tgm.auth.service import Person
from tgm.shared.errors import Invalid
from tgm.telegram.catalog import METHODS
from tgm.testsend import compose, draft, fields, keyboard, uploads
from tgm.testsend.compose import Call, Joined, Upload
from tgm.testsend.keyboard import Button

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(method=st.sampled_from(METHODS), data=st.data())
def test_every_call_can_be_opened_in_the_form_and_stays_the_same(method: str, data: Any) -> None:
    names = [one.name for one in fields.of(method)]
    keys = st.sampled_from(names) | TEXTS if names else TEXTS
    parameters = data.draw(st.dictionaries(keys, JSON, max_size=4))
    opened = draft.of(method, parameters)
    found, wrong = opened.parameters(is_whole=False)
    assert (found, wrong) == (parameters, {})


@given(
    text=st.text(max_size=40), method=st.sampled_from(["sendPoll", "sendLocation", "sendInvoice"])
)
def test_whatever_is_typed_is_a_value_or_a_sentence(text: str, method: str) -> None:
    for one in fields.of(method):
        assert refused_field(partial(fields.value, one, text)) in {None, one.name}


def refused_field(make: Callable[[], object]) -> str | None:
    """Return the field that a refusal names, None where nothing is refused."""
    try:
        make()
    except Invalid as error:
        return error.field or "none is named"
    return None


@given(
    rows=st.lists(
        st.lists(st.builds(Button, st.text(max_size=20), st.text(max_size=70)), max_size=3),
        max_size=3,
    )
)
def test_a_keyboard_that_is_made_can_be_built_on(rows: list[list[Button]]) -> None:
    typed = tuple(map(tuple, rows))
    refused = refused_field(lambda: keyboard.markup(typed))
    assert refused in {None, "reply_markup"}
    made = None if refused else keyboard.markup(typed)
    if made is not None:
        again = keyboard.rows_of(made)
        assert again is not None
        assert keyboard.markup(again) == made


@pytest.mark.parametrize(
    "markup",
    [None, [], {}, {"inline_keyboard": 1}, {"inline_keyboard": [1]}, {"inline_keyboard": [[1]]},
     {"inline_keyboard": [[]]}, {"inline_keyboard": [[{"text": 1, "url": "https://a"}]]},
     {"inline_keyboard": [[{"text": "a", "callback_data": "https://a"}]]},
     {"inline_keyboard": [[{"text": "a", "url": "b"}]]}, {"keyboard": [[{"text": "a"}]]}],
)  # fmt: skip
def test_what_the_builder_could_not_make_is_left_alone(markup: object) -> None:
    assert keyboard.rows_of(markup) is None


@given(parts=st.lists(st.binary(max_size=50), max_size=6), size=st.integers(1, 20))
def test_joined_parts_read_as_one_file_and_again(parts: list[bytes], size: int) -> None:
    joined = Joined([part if at % 2 else BytesIO(part) for at, part in enumerate(parts)])
    assert joined.length == sum(map(len, parts))
    for _ in range(2):
        assert b"".join(iter(lambda: joined.read(size), b"")) == b"".join(parts)
        joined.seek(0)


def test_a_files_name_and_type_cannot_break_the_form() -> None:
    upload = Upload('a"\r\nX: 1.png', BytesIO(b"x"), "image/png\r\nX: 1")
    made = compose.environ(Call("B", "sendPhoto", {'a"b': "c"}, {"photo": upload}), "key")
    body = made["wsgi.input"].read(-1)
    while block := made["wsgi.input"].read(-1):
        body += block
    assert b'filename="a%22%0D%0AX: 1.png"\r\nContent-Type: application/octet-stream\r\n' in body
    assert b'name="a%22b"' in body
    assert len(body) == int(made["CONTENT_LENGTH"])


def test_only_a_session_of_ours_with_somebody_in_it_may_send_much(
    app: Flask, client: FlaskClient, owner: Person
) -> None:
    signed_in = uploads.signed_in_by(app)
    client.get("/auth/sign-in")
    stranger = client.get_cookie("tgm_session")
    assert stranger is not None
    assert not signed_in(f"tgm_session={stranger.value}")
    sign_in(client, OWNER, PASSWORD)
    cookie = client.get_cookie("tgm_session")
    assert cookie is not None
    assert signed_in(f"a=b; tgm_session={cookie.value}; tgm_zone=Asia%2FJakarta")
    value = cookie.value
    for wrong in ("", "x", value[:-1], value + "x", "." + value, value[::-1], "é" * 50):
        assert not signed_in(f"tgm_session={wrong}")


@pytest.mark.parametrize(
    ("path", "takes"),
    [
        (PAGE, True),
        (f"{PAGE}/form", True),
        (f"{PAGE}x", False),
        ("/dashboard/bots", False),
        ("/auth/sign-in", False),
        (f"/x{PAGE}", False),
    ],
)
def test_only_the_test_send_takes_files(path: str, takes: bool) -> None:
    assert uploads.is_upload(path) is takes
