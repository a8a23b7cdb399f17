"""Chats are noted with the updates that come from them, and found by name."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tests.webhook.rows import an_update
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db
from tgm.shared.ids import new_id
from tgm.webhook import chats, facts
from tgm.webhook.chats import ChatNotes
from tgm.webhook.commits import Commits
from tgm.webhook.facts import ChatFacts
from tgm.webhook.inbox import Inbox

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHOP = ChatFacts(-100123, "supergroup", "Toko Ani", "toko_ani")


@pytest.fixture
def bot(app: Flask) -> Bot:
    return bots.add(make_team("Toko"), TOKEN, None, COMMAND_LINE)


@pytest.fixture
def inbox(app: Flask) -> Iterator[Inbox]:
    inbox = Inbox(Commits(db.engines[WRITER]), lambda _: None)
    yield inbox
    inbox.stop()


def note(bot: Bot, *seen: ChatFacts, at: datetime = NOON) -> None:
    with db.engines[WRITER].begin() as connection:
        ChatNotes().write(connection, [(str(bot.id), chat, at) for chat in seen])


def titles(bot: Bot, text: str = "") -> list[str]:
    db.session.rollback()
    return [chat.title for chat in chats.search(bot.id, text)]


def test_a_stored_update_leaves_its_chat(inbox: Inbox, bot: Bot) -> None:
    raws = [an_update(1, chat_id=7), an_update(2, chat_id=8), an_update(3, chat_id=7)]
    inbox.put_many(str(bot.id), [(raw, facts.read(raw)) for raw in raws], NOON)
    assert sorted(chat.chat_id for chat in chats.search(bot.id)) == [7, 8]


def test_a_chat_that_was_renamed_is_known_by_its_new_name(bot: Bot) -> None:
    note(bot, SHOP)
    note(bot, ChatFacts(SHOP.id, "supergroup", "Toko Ani Baru", None), at=NOON + timedelta(1))
    [chat] = chats.search(bot.id)
    assert (chat.title, chat.username) == ("Toko Ani Baru", None)
    assert chat.last_seen_at == NOON + timedelta(1)


def test_a_busy_chat_is_written_once_a_minute(bot: Bot) -> None:
    notes = ChatNotes()

    def written(at: datetime, chat: ChatFacts = SHOP) -> int:
        with db.engines[WRITER].begin() as connection:
            news = notes.write(connection, [(str(bot.id), chat, at)] * 3)
        notes.remember(news)
        return len(news)

    assert written(NOON) == 1
    assert written(NOON + timedelta(seconds=59)) == 0
    assert written(NOON + timedelta(seconds=60)) == 1
    assert written(NOON + timedelta(seconds=61), ChatFacts(SHOP.id, "group", "New", None)) == 1


def test_what_was_rolled_back_is_written_the_next_time(bot: Bot) -> None:
    notes = ChatNotes()
    with db.engines[WRITER].connect() as connection:
        assert notes.write(connection, [(str(bot.id), SHOP, NOON)])
    with db.engines[WRITER].begin() as connection:
        assert notes.write(connection, [(str(bot.id), SHOP, NOON)])


@pytest.mark.parametrize("text", ["toko", "TOKO  ani", "@toko_ani", "-100123", "00123", ""])
def test_a_chat_is_found_by_part_of_its_name_or_id(bot: Bot, text: str) -> None:
    note(bot, SHOP)
    assert titles(bot, text) == ["Toko Ani"]


@pytest.mark.parametrize("text", ["warung", "%", "_x", "\\", "to_o"])
def test_signs_of_the_database_mean_nothing(bot: Bot, text: str) -> None:
    note(bot, ChatFacts(1, "group", "Toko", None))
    assert titles(bot, text) == []


def test_letters_of_every_language_are_found_in_either_case(bot: Bot) -> None:
    note(bot, ChatFacts(1, "private", "ÉLODIE Ñandú", None))
    assert titles(bot, "élodie ñ") == ["ÉLODIE Ñandú"]


def test_another_bots_chats_are_not_found(bot: Bot) -> None:
    note(bot, SHOP)
    assert chats.search(new_id()) == []


def test_chats_go_with_their_bot(bot: Bot) -> None:
    note(bot, SHOP)
    bots.delete(bot.team_id, bot.id, bot.name, COMMAND_LINE)
    assert titles(bot) == []


def test_the_longest_names_fit(bot: Bot) -> None:
    long: dict[str, Any] = {"id": 1, "type": "x" * 40, "title": "t" * 900, "username": "u" * 90}
    found = facts.read(b'{"update_id": 1, "message": {"chat": ' + json.dumps(long).encode() + b"}}")
    assert found.chat is not None
    note(bot, found.chat)
    assert titles(bot) == ["t" * 255]
