"""The form of a bot token."""

import pytest

from tests.fakes.telegram import TOKEN
from tgm.telegram.token import BotToken


def test_a_token_tells_its_bots_number() -> None:
    token = BotToken.parse(TOKEN)
    assert token is not None
    assert token.telegram_id == 123456789


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "123456789",
        "123456789:",
        "123456789:short",
        "abc:AAtestTokenOfTheFakeTelegram_0123456",
        f" {TOKEN}",
        f"{TOKEN}\n",
        f"{TOKEN}/../x",
        TOKEN.replace(":", "%3A"),
        "\uff11\uff12\uff13\uff14:AAtestTokenOfTheFakeTelegram_0123456",
    ],
)
def test_anything_else_is_no_token(text: str) -> None:
    assert BotToken.parse(text) is None
