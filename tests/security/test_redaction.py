"""The log's last line of defence."""

import io
import logging

import pytest

from tests.fakes.telegram import TOKEN
from tgm.security.credentials import mint_api_key
from tgm.security.redaction import RedactingFormatter, redact
from tgm.security.secret import Secret
from tgm.telegram.token import BotToken


@pytest.mark.parametrize(
    "text",
    [
        f"POST /bot{TOKEN}/getMe",
        f"https://api.telegram.org/file/bot{TOKEN}/photos/a.jpg",
        TOKEN.replace(":", "%3A"),
        TOKEN.replace(":", "%3a"),
    ],
)
def test_a_token_is_blotted_out_wherever_it_stands(text: str) -> None:
    assert TOKEN.partition(":")[2] not in redact(text)


def test_api_keys_link_tokens_and_url_passwords_are_too() -> None:
    key = mint_api_key().secret.value
    text = f"{key} /auth/setup/abcdefghijklmnop12 postgresql://me:hunter2@db/x"
    assert redact(text) == "[api key] /auth/setup/[token] postgresql://[hidden]@db/x"


def test_what_belongs_to_webhooks_is_too() -> None:
    text = "POST /api/v1/tg-webhook/abcdefghijklmnop12 signed by whsec_abcdefghijklmnop+/12="
    assert redact(text) == "POST /api/v1/tg-webhook/[token] signed by [webhook secret]"


def test_ordinary_text_stays() -> None:
    text = "2026-11-21 12:00:00 INFO tgm: bot 01HZ answered 200 in 12 ms, 12:30:45"
    assert redact(text) == text


def test_a_traceback_is_redacted_with_its_record() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(RedactingFormatter("%(message)s"))
    logger = logging.Logger("test")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(handler)
    try:
        raise ValueError(f"bad url /bot{TOKEN}/getMe")
    except ValueError:
        logger.exception("call to %s failed", TOKEN)
    assert "ValueError" in out.getvalue()
    assert TOKEN not in out.getvalue()


@pytest.mark.parametrize("secret", [Secret("hunter2"), BotToken(TOKEN)])
def test_a_secret_cannot_print_itself(secret: Secret) -> None:
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", f"{secret:>20}"):
        assert secret.value not in shown
    assert secret.value not in repr({"nested": [secret]})
