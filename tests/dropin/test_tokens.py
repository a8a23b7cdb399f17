"""Virtual tokens: the form that libraries demand, and what they stand for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.dropin.tokens import read, shows_key, virtual_token
from tgm.security.credentials import mint_api_key
from tgm.security.redaction import redact

# What python-telegram-bot, aiogram and the others check before they begin.
LIBRARIES_FORM = re.compile(r"[0-9]+:[A-Za-z0-9_-]{20,}")


@given(st.integers(100, 10**19))
def test_a_token_has_telegrams_form_and_is_read_back(telegram_id: int) -> None:
    key = mint_api_key().secret.value
    token = virtual_token(telegram_id, key)
    assert LIBRARIES_FORM.fullmatch(token.value)
    for text in (token.value, token.value.replace(":", "%3A"), token.value.replace(":", "%3a")):
        assert read(text) == (telegram_id, key)
        assert key.removeprefix("tgm_live_") not in redact(f"GET /bot{text}/getMe")
    assert token.value not in repr(token)


@pytest.mark.parametrize(
    "text", ["", ":", "1:", ":a", "a:b", "1:a b", "1:ä", "\u0661:abc", "1%3Babc", "1::a"]
)
def test_what_has_another_form_is_no_token(text: str) -> None:
    assert read(text) is None


@given(st.text(max_size=80))
def test_whatever_the_path_it_is_read_without_an_error(text: str) -> None:
    shows_key(f"/bot{text}/getMe")
    found = read(text)
    assert found is None or found[1].startswith("tgm_live_")


def test_a_path_shows_a_key_where_the_token_has_the_form_of_one() -> None:
    token = virtual_token(123456, mint_api_key().secret.value).value
    assert shows_key(f"/bot{token}/sendPhoto")
    assert shows_key(f"/file/bot{token}/photos/1.jpg")
    for path in (f"/bot{token}", f"/x/bot{token}/getMe", "/bot123:abc/getMe", "/dashboard/bots/x/"):
        assert not shows_key(path)
