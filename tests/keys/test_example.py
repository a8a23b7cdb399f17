"""The line that tries a new key."""

import pytest

from tgm.keys.example import curl_line
from tgm.security.secret import Secret

KEY = Secret("tgm_live_" + "x" * 33)
BASE = "https://tgm.example.com/"


def test_it_asks_for_what_needs_no_chat() -> None:
    assert curl_line(BASE, "01M7", ("*",), KEY) == (
        f"curl -X POST 'https://tgm.example.com/api/v1/bots/01M7/getMe' -H 'X-API-Key: {KEY.value}'"
    )


@pytest.mark.parametrize(
    ("patterns", "method"),
    [
        (("send*",), "sendMessage"),
        (("edit*", "copyMessage"), "copyMessage"),
        (("edit*",), "<method>"),
    ],
)
def test_it_asks_for_nothing_the_key_may_not(patterns: tuple[str, ...], method: str) -> None:
    assert f"/01M7/{method}'" in curl_line(BASE, "01M7", patterns, KEY)


def test_without_a_bot_it_has_a_place_for_one() -> None:
    assert "/bots/<bot id>/getMe" in curl_line(BASE, None, ("*",), KEY)
