"""What is read of an update: for every kind, and for whatever else may come."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook import facts
from tgm.webhook.facts import BadUpdate, ChatFacts, Facts

ANI = {"id": 7, "is_bot": False, "first_name": "Ani", "username": "ani_w"}
SHOP = {"id": -100123, "type": "supergroup", "title": "Toko Ani"}


def read(update: Any) -> Facts:
    return facts.read(json.dumps(update).encode())


def test_a_message_is_queued_by_its_chat_and_found_by_its_text() -> None:
    message = {"message_id": 1, "from": ANI, "chat": SHOP, "text": "Dua  kopi,\nya"}
    assert read({"update_id": 5, "message": message}) == Facts(
        5, "message", -100123, 7, "c-100123", "Dua kopi, ya Ani ani_w Toko Ani", None,
        ChatFacts(-100123, "supergroup", "Toko Ani", None),
    )  # fmt: skip


def test_a_button_press_has_its_chat_inside_the_message() -> None:
    press = {
        "id": "4382",
        "from": ANI,
        "message": {"message_id": 1, "chat": SHOP, "text": "Konfirmasi?"},
        "data": "order:confirm:2437234",
    }
    found = read({"update_id": 5, "callback_query": press})
    assert (found.kind, found.queue, found.callback_id) == ("callback_query", "c-100123", "4382")
    assert found.words.startswith("order:confirm:2437234 Konfirmasi? Ani")


@pytest.mark.parametrize(
    ("kind", "content", "chat"),
    [
        (
            "message",
            {"chat": {"id": 7, "type": "private", "first_name": "Ani", "last_name": "Wijaya"}},
            ChatFacts(7, "private", "Ani Wijaya", None),
        ),
        (
            "my_chat_member",
            {"chat": {**SHOP, "username": "toko_ani"}},
            ChatFacts(-100123, "supergroup", "Toko Ani", "toko_ani"),
        ),
        (
            "callback_query",
            {"message": {"chat": SHOP}},
            ChatFacts(-100123, "supergroup", "Toko Ani", None),
        ),
        # The bot itself cannot write there.
        ("business_message", {"chat": SHOP}, None),
        ("inline_query", {"from": ANI}, None),
        ("message", {"chat": {"id": 7}}, None),
        ("message", {"chat": {"id": True, "type": "private"}}, None),
    ],
)
def test_each_kind_tells_of_the_chat_that_can_be_written_to(
    kind: str, content: dict[str, Any], chat: ChatFacts | None
) -> None:
    assert read({"update_id": 5, kind: content}).chat == chat


@pytest.mark.parametrize(
    ("kind", "content", "queue"),
    [
        ("inline_query", {"id": "1", "from": ANI, "query": "kopi"}, "u7"),
        ("callback_query", {"id": "1", "from": ANI, "inline_message_id": "x"}, "u7"),
        ("message_reaction", {"chat": SHOP, "user": ANI}, "c-100123"),
        ("message_reaction", {"chat": SHOP, "actor_chat": SHOP}, "c-100123"),
        ("poll_answer", {"poll_id": "1", "user": ANI}, "u7"),
        ("poll_answer", {"poll_id": "1", "voter_chat": SHOP}, "c-100123"),
        ("chat_boost", {"chat": SHOP, "boost": {}}, "c-100123"),
        ("business_connection", {"id": "b", "user": ANI, "user_chat_id": 7}, "u7"),
        ("poll", {"id": "1", "question": "Kopi?"}, ""),
        ("a_kind_of_next_year", {"chat": SHOP}, "c-100123"),
    ],
)
def test_each_kind_finds_its_queue(kind: str, content: dict[str, Any], queue: str) -> None:
    found = read({"update_id": 5, kind: content})
    assert (found.kind, found.queue) == (kind, queue)


def test_only_a_button_press_is_acknowledged() -> None:
    assert read({"update_id": 5, "inline_query": {"id": "1", "from": ANI}}).callback_id is None
    assert read({"update_id": 5, "callback_query": {"id": 1, "from": ANI}}).callback_id is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe{}",
        b"[]",
        b"7",
        b"{}",
        b'{"update_id": null}',
        b'{"update_id": "5"}',
        b'{"update_id": true}',
        b'{"update_id": -1}',
        b'{"update_id": 1.0}',
        b'{"update_id": 9223372036854775808}',
        b'{"update_id": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
)
def test_what_is_no_update_is_refused(raw: bytes) -> None:
    with pytest.raises(BadUpdate) as refused:
        facts.read(raw)
    assert refused.value.code == 400


def test_what_no_database_takes_as_text_is_left_out() -> None:
    raw = rb'{"update_id": 5, "message": {"text": "a\u0000b\ud800c"}, "x": 1}'
    assert facts.read(raw).words == "ab?c"
    assert facts.read(rb'{"update_id": 5, "\u0000\ud800": {}}').kind == "?"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["id", "from", "user", "chat", "message", "text", "data", "caption", "title", "username"]
)
CONTENTS = st.recursive(
    JSON, lambda inner: st.dictionaries(NAMES, inner, max_size=6), max_leaves=30
)


@given(
    update_id=st.integers(0, 2**63 - 1),
    kind=st.sampled_from(UPDATE_KINDS) | st.text(),
    content=CONTENTS,
)
def test_whatever_has_an_update_id_can_be_stored(
    update_id: int, kind: str, content: object
) -> None:
    found = read({kind: content, "update_id": update_id})
    assert found.update_id == update_id
    assert 1 <= len(found.kind) <= 64
    assert len(found.queue) <= 32
    assert len(found.words) <= facts.MOST_WORDS
    for text in (found.kind, found.words, found.callback_id or ""):
        assert "\0" not in text
        text.encode()
    for number in (found.chat_id, found.user_id):
        assert number is None or abs(number) < 2**63


@given(st.binary())
def test_any_bytes_are_an_update_or_refused(raw: bytes) -> None:
    try:
        facts.read(raw)
    except BadUpdate:
        return
