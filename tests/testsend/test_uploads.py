"""Large bodies are taken in from people who have signed in, and from no stranger."""

from importlib.metadata import version

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from tests.browsing import csrf_token
from tests.fakes.serving import Got, Served
from tests.fakes.telegram import FakeTelegram
from tests.testsend.conftest import PAGE
from tgm.bots.models import Bot
from tgm.settings import MEBIBYTE

BOUNDARY = "xXx"


def body(size: int, **fields: str) -> bytes:
    """Return a form with a file of this size."""
    parts = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    parts += (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f-document"; filename="a.bin"'
        "\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    return parts.encode() + b"x" * size + f"\r\n--{BOUNDARY}--\r\n".encode()


def post(served: Served, sent: bytes, cookie: str, address: str = PAGE) -> Got:
    headers = Headers({"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    # The session holds for the browser that it was made in.
    headers["User-Agent"] = f"Werkzeug/{version('werkzeug')}"
    if cookie:
        headers["Cookie"] = cookie
    return served.call("POST", address, sent, dict(headers))


@pytest.fixture
def cookie(signed_in: FlaskClient) -> str:
    """The cookie of somebody who has signed in."""
    signed_in.get("/dashboard/account")
    own = signed_in.get_cookie("tgm_session")
    assert own is not None
    return f"tgm_session={own.value}"


def test_a_large_file_passes_from_the_form_to_telegram(
    served: Served, signed_in: FlaskClient, bot: Bot, cookie: str, telegram: FakeTelegram
) -> None:
    token = csrf_token(signed_in.get(PAGE))
    fields = {"csrf_token": token, "bot": str(bot.id), "mode": "form", "p-chat_id": "5"}
    sent = body(20 * MEBIBYTE, method="sendDocument", shown="sendDocument", **fields)
    assert post(served, sent, cookie).status == 303
    [call] = telegram.calls("sendDocument")
    assert b"x" * (20 * MEBIBYTE) in call.body


@pytest.mark.parametrize("shown", ["", "tgm_session=forged", "tgm_session=eyJfdXNlcl9pZCI6MX0.x.y"])
def test_a_strangers_large_body_is_refused_unread(served: Served, bot: Bot, shown: str) -> None:
    assert post(served, body(2 * MEBIBYTE), shown).status == 413


def test_other_screens_take_no_more_than_before(served: Served, bot: Bot, cookie: str) -> None:
    assert post(served, body(2 * MEBIBYTE), cookie, "/dashboard/bots/add").status == 413


def test_more_than_the_largest_file_is_refused(served: Served, bot: Bot, cookie: str) -> None:
    assert post(served, body(52 * MEBIBYTE), cookie).status == 413
