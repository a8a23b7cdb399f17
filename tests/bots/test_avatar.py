"""What stands for a bot that has no photo."""

from dataclasses import replace

import pytest

from tgm.bots.avatar import COLOURS, Avatar
from tgm.shared.ids import new_id

BOT = Avatar(new_id(), "Kasir")


@pytest.mark.parametrize(
    ("name", "initial"),
    [("Kasir", "K"), ("toko ani", "T"), ("🤖 robot", "R"), ("éclair", "É"), ("…", "?")],
)
def test_its_first_letter_stands_for_it(name: str, initial: str) -> None:
    assert replace(BOT, name=name).initial == initial


def test_its_colour_stays_the_same_when_it_is_renamed() -> None:
    assert BOT.colour == replace(BOT, name="Other").colour
    assert BOT.colour in range(COLOURS)
