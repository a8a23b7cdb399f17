"""What the rules of Telegram's pace read of a call."""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.proxy import sends
from tgm.proxy.answers import ProxyAnswer
from tgm.proxy.sends import Preferences
from tgm.proxy.target import MethodTarget


def environ(body: bytes = b"", content_type: str = "", **more: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        **more,
    }


@pytest.mark.parametrize(
    ("header", "is_async", "wait"),
    [
        ("", False, 10),
        ("respond-async", True, 10),
        ("Respond-Async, wait=5", True, 5),
        ('wait="7"', False, 7),
        ("wait = 0", False, 0),
        ("wait=3; of=it, wait=9", False, 3),
        ("wait=31", False, 30),
        ("wait=999999999999999", False, 30),
        ("wait=-1", False, 10),
        ("wait=soon", False, 10),
        ("return=minimal, respond-async;x=y", True, 10),
        ("respond-asyncs", False, 10),
    ],
)
def test_preferences_are_read_as_the_rfc_says(header: str, is_async: bool, wait: float) -> None:
    assert sends.preferences({"HTTP_PREFER": header}) == Preferences(is_async, wait)


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_no_header_breaks_it(header: str) -> None:
    assert 0 <= sends.preferences({"HTTP_PREFER": header}).wait <= 30


@pytest.mark.parametrize(
    ("method", "is_message", "may_queue"),
    [
        ("sendMessage", True, True),
        ("SENDPHOTO", True, True),
        ("copyMessages", True, True),
        ("forwardMessage", True, True),
        ("sendChatAction", False, True),
        ("sendMessageDraft", False, True),
        ("editMessageText", False, True),
        ("deleteMessage", False, True),
        ("deleteWebhook", False, False),
        ("getMe", False, False),
        ("answerCallbackQuery", False, False),
    ],
)
def test_what_counts_as_a_message_and_what_may_wait(
    method: str, is_message: bool, may_queue: bool
) -> None:
    assert (sends.is_message(method), sends.may_queue(method)) == (is_message, may_queue)


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nHi\r\n'
    b'--x\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n-100\r\n'
)
UPLOAD = (
    b'--x\r\nContent-Disposition: form-data; name="document"; filename="chat_id"\r\n'
    b"Content-Type: text/plain\r\n\r\n77\r\n--x--\r\n"
)
PADDING = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n' + bytes(
    2**20
)


@pytest.mark.parametrize(
    ("body", "content_type", "query", "chat"),
    [
        (b'{"chat_id": 5}', "application/json", "", "5"),
        (b"chat_id=%2D100", "application/x-www-form-urlencoded", "", "-100"),
        (b"", "", "chat_id=@News", "@news"),
        (b'{"text": "Hi"}', "application/json", "", None),
        (b"{", "application/json", "", None),
        (FORM + UPLOAD, "multipart/form-data; boundary=x", "", "-100"),
        (UPLOAD, "multipart/form-data; boundary=x", "", None),
        (UPLOAD, "multipart/form-data; boundary=x", "chat_id=5", "5"),
        (FORM + PADDING + b"\r\n--x--\r\n", "multipart/form-data; boundary=x", "", "-100"),
        (PADDING + b"\r\n--x--\r\n", "multipart/form-data; boundary=x", "chat_id=5", "5"),
    ],
)
def test_the_chat_is_found_wherever_it_stands_and_the_body_is_left_whole(
    body: bytes, content_type: str, query: str, chat: str | None
) -> None:
    call = environ(body, content_type)
    target = MethodTarget("bot", "sendMessage", query)
    assert sends.addressed(call, target) == (chat, 1)
    assert call["wsgi.input"].read() == body


ALBUM = [{"type": "photo", "media": "attach://a"}] * 3
ALBUM_FORM = (
    FORM
    + b'--x\r\nContent-Disposition: form-data; name="media"\r\n\r\n'
    + json.dumps(ALBUM).encode()
    + b"\r\n"
)
MANY = b'{"chat_id": 5, "from_chat_id": 6, "message_ids": [1, 2, 3, 4]}'
JSON, AS_FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("method", "body", "content_type", "messages"),
    [
        ("sendMediaGroup", json.dumps({"chat_id": 5, "media": ALBUM}).encode(), JSON, 3),
        ("SENDMEDIAGROUP", ALBUM_FORM, "multipart/form-data; boundary=x", 3),
        ("sendMediaGroup", ALBUM_FORM + PADDING, "multipart/form-data; boundary=x", 3),
        ("sendMediaGroup", PADDING, "multipart/form-data; boundary=x", 1),
        ("copyMessages", MANY, JSON, 4),
        ("forwardMessages", b"chat_id=5&message_ids=[1,2]", AS_FORM, 2),
        ("forwardMessages", b"chat_id=5&message_ids=" + b"[" * 9999, AS_FORM, 1),
        ("forwardMessages", b"chat_id=5&message_ids=3", AS_FORM, 1),
        ("copyMessages", b"", "", 1),
        # Others may call something by these names, too.
        ("sendMessage", MANY, JSON, 1),
        ("editMessageText", MANY, JSON, 0),
    ],
)
def test_a_call_that_sends_several_messages_counts_as_so_many(
    method: str, body: bytes, content_type: str, messages: int
) -> None:
    found = sends.addressed(environ(body, content_type), MethodTarget("bot", method, ""))
    assert found[1] == messages


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"parameters": {"retry_after": 7}}, 7),
        ({"parameters": {"retry_after": 0}}, 1),
        ({"parameters": {"retry_after": 10**12}}, 24 * 3600),
        ({"parameters": None}, 1),
        ([], 1),
        ({"parameters": {"retry_after": "soon"}}, 1),
    ],
)
def test_a_429_asks_for_a_pause(body: object, seconds: float) -> None:
    answer = ProxyAnswer(429, [], [json.dumps(body).encode()])
    assert sends.asked_pause(answer) == seconds
    assert sends.asked_pause(ProxyAnswer(200, [], [b"{}"])) is None
