"""Bots: taken in by their token, which nothing gives away again."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from ulid import ULID

from tests.ending import join
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram, refusal, reply
from tests.making import acts, make_team
from tgm.audit.service import Actor
from tgm.bots import service
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.security.vault import SealBroken, Vault, new_key
from tgm.shared.errors import Conflict, Invalid, NotFound, TgmError
from tgm.shared.ids import new_id
from tgm.telegram.errors import TelegramRefused, TelegramUnreachable

ANI = Actor("ani@example.com", "192.0.2.7")
SAME_BOT_NEW_TOKEN = TOKEN.partition(":")[0] + ":AAnewTokenOfTheSameBot_0123456789abcd"


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID) -> Bot:
    return service.add(team, TOKEN, None, ANI)


def refused(act: Callable[[], object]) -> TgmError:
    with pytest.raises(TgmError) as caught:
        act()
    return caught.value


def test_a_bot_gets_its_name_and_username_from_telegram(bot: Bot, team: ULID) -> None:
    kept = service.get(team, bot.id)
    assert (kept.name, kept.username, kept.telegram_id) == ("Test bot", "tgm_test_bot", 123456789)


def test_a_bot_may_have_another_name_here(team: ULID) -> None:
    assert service.add(team, TOKEN, "  Kasir ", ANI).name == "Kasir"


def test_spaces_around_a_pasted_token_do_no_harm(team: ULID) -> None:
    assert service.add(team, f" {TOKEN}\n", None, ANI).telegram_id == 123456789


def test_the_token_is_sealed_for_its_own_row(bot: Bot) -> None:
    assert TOKEN not in bot.sealed_token
    assert service.token_of(bot).value == TOKEN
    with pytest.raises(SealBroken):
        runtime.vault.open(bot.sealed_token, place=f"bots:{new_id()}:sealed_token")


@pytest.mark.parametrize("text", ["", "123", "123456789:short", f"{TOKEN} {TOKEN}", "token"])
def test_what_is_no_token_is_refused_without_asking_telegram(
    text: str, team: ULID, telegram: FakeTelegram
) -> None:
    error = refused(lambda: service.add(team, text, None, ANI))
    assert (type(error), error.field) == (Invalid, "token")
    assert telegram.requests == []


@pytest.mark.parametrize("status", [401, 404])
def test_a_token_that_telegram_does_not_know_is_refused(
    status: int, team: ULID, telegram: FakeTelegram
) -> None:
    telegram.replies(refusal(status, "Unauthorized"))
    error = refused(lambda: service.add(team, TOKEN, None, ANI))
    assert (type(error), error.field) == (Invalid, "token")
    assert "does not know this token" in error.description
    assert service.of_team(team) == []


def test_another_refusal_is_told_as_telegram_said_it(team: ULID, telegram: FakeTelegram) -> None:
    telegram.replies(refusal(429, "Too Many Requests: retry after 7", retry_after=7))
    error = refused(lambda: service.add(team, TOKEN, None, ANI))
    assert (type(error), error.field, error.retry_after) == (TelegramRefused, "token", 7)


def test_an_unreachable_telegram_is_told_as_such(team: ULID, telegram: FakeTelegram) -> None:
    telegram.replies(reply(b"<html>a captive portal</html>"))
    error = refused(lambda: service.add(team, TOKEN, None, ANI))
    assert (type(error), error.field) == (TelegramUnreachable, "token")


@pytest.mark.parametrize(
    "result",
    [
        {"id": 987654321, "username": "someone_else", "first_name": "Else"},
        {"id": 123456789, "first_name": "Nameless"},
        {"id": "123456789", "username": "text", "first_name": "Text"},
        [],
        True,
    ],
)
def test_an_answer_about_something_else_is_not_believed(
    result: object, team: ULID, telegram: FakeTelegram
) -> None:
    telegram.replies(reply({"ok": True, "result": result}))
    assert isinstance(refused(lambda: service.add(team, TOKEN, None, ANI)), TelegramUnreachable)


def test_a_name_from_telegram_is_made_to_fit(team: ULID, telegram: FakeTelegram) -> None:
    profile = {"id": 123456789, "username": "u_bot", "first_name": "\ud800\x07" + "n" * 90}
    telegram.replies(reply({"ok": True, "result": profile}))
    assert service.add(team, TOKEN, None, ANI).name == "n" * 64


@pytest.mark.parametrize("same_team", [True, False])
def test_a_bot_is_added_once_in_the_whole_installation(bot: Bot, same_team: bool) -> None:
    team = bot.team_id if same_team else make_team("Warung")
    error = refused(lambda: service.add(team, TOKEN, None, ANI))
    assert (type(error), error.field) == (Conflict, "token")
    assert "already been added" in error.description
    assert "Toko" not in error.description


def test_a_guessed_token_does_not_tell_which_bots_are_here(bot: Bot) -> None:
    guess = f"{bot.telegram_id}:AAguessedAAAAAAAAAAAAAAAAAAAAAAAAAA"
    error = refused(lambda: service.add(make_team("Warung"), guess, None, ANI))
    assert "does not know this token" in error.description


def test_of_two_who_add_a_bot_at_once_one_wins(
    app: Flask, team: ULID, telegram: FakeTelegram
) -> None:
    outcomes: list[str] = []
    ready = threading.Barrier(2)

    def add() -> None:
        with app.app_context():
            ready.wait(10)
            try:
                service.add(team, TOKEN, None, ANI)
                outcomes.append("added")
            except Conflict:
                outcomes.append("refused")

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    join(*threads)
    assert sorted(outcomes) == ["added", "refused"]


def test_telegram_is_not_asked_while_the_writer_is_held(
    app: Flask, team: ULID, telegram: FakeTelegram
) -> None:
    gate = threading.Event()
    telegram.replies(
        reply({"ok": True, "result": telegram.bots[TOKEN]}, gate=gate),
    )

    def add() -> None:
        with app.app_context():
            service.add(team, TOKEN, None, ANI)

    adding = threading.Thread(target=add)
    adding.start()
    telegram.wait_for(1)
    # With the gate closed the other thread waits for Telegram; this one can write all the same.
    writer: Engine = db.engines[WRITER]
    with writer.begin() as connection:
        connection.execute(text("UPDATE revision SET number = number"))
    gate.set()
    join(adding)
    assert len(service.of_team(team)) == 1


def test_a_bot_can_be_renamed(bot: Bot, team: ULID) -> None:
    service.rename(team, bot.id, "Kasir", ANI)
    assert service.get(team, bot.id).name == "Kasir"


def test_a_bot_can_be_disabled_and_enabled_again(bot: Bot, team: ULID) -> None:
    service.disable(team, bot.id, ANI)
    assert service.get(team, bot.id).is_disabled
    service.enable(team, bot.id, ANI)
    assert not service.get(team, bot.id).is_disabled


def test_a_token_is_replaced_by_another_of_the_same_bot(
    bot: Bot, team: ULID, telegram: FakeTelegram
) -> None:
    telegram.add_bot(SAME_BOT_NEW_TOKEN, "Test bot", "tgm_renamed_bot")
    service.replace_token(team, bot.id, SAME_BOT_NEW_TOKEN, ANI)
    kept = service.get(team, bot.id)
    assert service.token_of(kept).value == SAME_BOT_NEW_TOKEN
    assert kept.username == "tgm_renamed_bot"


def test_another_bots_token_does_not_replace_it(
    bot: Bot, team: ULID, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    error = refused(lambda: service.replace_token(team, bot.id, OTHER_TOKEN, ANI))
    assert (type(error), error.field) == (Invalid, "token")
    assert service.token_of(service.get(team, bot.id)).value == TOKEN


def test_an_unknown_token_does_not_replace_it(bot: Bot, team: ULID) -> None:
    error = refused(lambda: service.replace_token(team, bot.id, SAME_BOT_NEW_TOKEN, ANI))
    assert (type(error), error.field) == (Invalid, "token")
    assert service.token_of(service.get(team, bot.id)).value == TOKEN


def test_a_bot_is_deleted_once_its_name_is_typed(bot: Bot, team: ULID) -> None:
    error = refused(lambda: service.delete(team, bot.id, "test bot", ANI))
    assert (type(error), error.field) == (Invalid, "name")
    service.delete(team, bot.id, " Test bot ", ANI)
    assert service.of_team(team) == []
    assert service.add(team, TOKEN, None, ANI).id != bot.id


def test_another_teams_bot_is_like_one_that_does_not_exist(bot: Bot) -> None:
    others = make_team("Warung")
    attempts: list[Callable[[ULID], object]] = [
        lambda bot_id: service.get(others, bot_id),
        lambda bot_id: service.rename(others, bot_id, "Mine", ANI),
        lambda bot_id: service.disable(others, bot_id, ANI),
        lambda bot_id: service.enable(others, bot_id, ANI),
        lambda bot_id: service.replace_token(others, bot_id, TOKEN, ANI),
        lambda bot_id: service.delete(others, bot_id, "Test bot", ANI),
    ]
    for attempt in attempts:
        answers = [refused(partial(attempt, bot_id)) for bot_id in (bot.id, new_id())]
        assert {type(answer) for answer in answers} == {NotFound}
        assert len({answer.description for answer in answers}) == 1
    assert service.of_team(others) == []


def test_every_change_is_in_the_audit_log_without_the_token(
    bot: Bot, team: ULID, telegram: FakeTelegram
) -> None:
    telegram.add_bot(SAME_BOT_NEW_TOKEN, "Test bot", "tgm_test_bot")
    service.rename(team, bot.id, "Kasir", ANI)
    service.disable(team, bot.id, ANI)
    service.disable(team, bot.id, ANI)
    service.enable(team, bot.id, ANI)
    service.keep_pace(team, bot.id, True, ANI)
    service.keep_pace(team, bot.id, True, ANI)
    service.replace_token(team, bot.id, SAME_BOT_NEW_TOKEN, ANI)
    service.delete(team, bot.id, "Kasir", ANI)
    entries = acts(team)
    assert [entry.action for entry in entries] == [
        "bot.added",
        "bot.renamed",
        "bot.disabled",
        "bot.enabled",
        "bot.pace",
        "bot.token_replaced",
        "bot.deleted",
    ]
    assert {(e.actor, e.address, e.subject_id) for e in entries} == {
        (ANI.name, ANI.address, str(bot.id))
    }
    told = "".join(f"{e.subject_name}{e.details}" for e in entries)
    assert TOKEN.partition(":")[2] not in told
    assert SAME_BOT_NEW_TOKEN.partition(":")[2] not in told


def test_resealing_moves_every_token_to_the_newest_key(bot: Bot) -> None:
    old, new = new_key(), new_key()
    bot.sealed_token = Vault([old]).seal(TOKEN, place=bot.token_place)
    session = db.session()
    session.add(bot)
    assert service.reseal(session, Vault([new, old])) == 1
    assert Vault([new]).open(bot.sealed_token, place=bot.token_place) == TOKEN


@pytest.mark.parametrize("name", ["", "  ", "n" * 65, "a\x00b", "\udce9", TOKEN])
def test_a_name_that_cannot_be_one_is_refused(name: str, bot: Bot, team: ULID) -> None:
    error = refused(lambda: service.rename(team, bot.id, name, ANI))
    assert (type(error), error.field) == (Invalid, "name")
    assert service.get(team, bot.id).name == "Test bot"


def test_a_name_may_hold_any_script_and_emoji(bot: Bot, team: ULID) -> None:
    for name in ("Toko Kué", "متجر", "店", "👩‍💻 Kasir"):
        assert service.rename(team, bot.id, name, ANI).name == name
