"""Encryption at rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.security.vault import SealBroken, Vault, key_id, new_key

PLACE = "bots:01:sealed_token"


@given(st.text(max_size=200))
def test_what_was_sealed_opens_again(text: str) -> None:
    vault = Vault([new_key()])
    assert vault.open(vault.seal(text, place=PLACE), place=PLACE) == text


def test_a_sealed_text_says_which_key_it_needs_and_nothing_of_its_content() -> None:
    key = new_key()
    sealed = Vault([key]).seal("secret", place=PLACE)
    assert sealed.startswith(key_id(key) + ".")
    assert "secret" not in sealed


def test_sealing_twice_gives_two_texts() -> None:
    vault = Vault([new_key()])
    assert vault.seal("same", place=PLACE) != vault.seal("same", place=PLACE)


def test_moved_to_another_row_it_does_not_open() -> None:
    vault = Vault([new_key()])
    with pytest.raises(SealBroken):
        vault.open(vault.seal("secret", place=PLACE), place="bots:02:sealed_token")


@pytest.mark.parametrize("position", [9, 15, -2])
def test_changed_by_one_character_it_does_not_open(position: int) -> None:
    vault = Vault([new_key()])
    sealed = list(vault.seal("secret text", place=PLACE))
    sealed[position] = "A" if sealed[position] != "A" else "B"
    with pytest.raises(SealBroken):
        vault.open("".join(sealed), place=PLACE)


@pytest.mark.parametrize("garbage", ["", ".", "nokey", "00000000.AAAA", "\x00"])
def test_garbage_does_not_open(garbage: str) -> None:
    with pytest.raises(SealBroken):
        Vault([new_key()]).open(garbage, place=PLACE)


def test_an_old_key_still_opens_and_the_newest_seals() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal("secret", place=PLACE)
    both = Vault([new, old])
    assert not both.is_newest(sealed)
    resealed = both.reseal(sealed, place=PLACE)
    assert both.is_newest(resealed)
    assert Vault([new]).open(resealed, place=PLACE) == "secret"


def test_a_key_that_another_process_added_is_read_when_it_is_needed() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([new, old]).seal("secret", place=PLACE)
    assert Vault([old], reload=lambda: [new, old]).open(sealed, place=PLACE) == "secret"


def test_a_vault_shows_no_key() -> None:
    key = new_key()
    assert key.hex() not in repr(Vault([key]))
    assert repr(key) not in repr(vars(Vault([key])))
