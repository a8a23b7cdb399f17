"""API keys: stored as hashes, narrowed, rotated, revoked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from flask import Flask
from sqlalchemy import select
from ulid import ULID

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import acts, make_team
from tgm.audit.service import Actor
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db
from tgm.keys import service
from tgm.keys.models import ApiKey, ApiKeyBot, KeyState
from tgm.keys.rights import Rights
from tgm.security.credentials import is_api_key
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict, Invalid, NotFound
from tgm.shared.ids import new_id

ANI = Actor("ani@example.com")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, ANI)


@pytest.fixture
def key(team: ULID) -> ApiKey:
    return service.make(team, Rights("Kasir"), ANI)[0]


def test_only_the_hash_and_four_characters_of_a_key_are_stored(team: ULID) -> None:
    key, secret = service.make(team, Rights("Kasir"), ANI)
    assert is_api_key(secret.value)
    row = db.session.execute(select(ApiKey.__table__)).one()
    assert row.digest == sha256(secret.value.encode()).hexdigest()
    assert row.last_four == secret.value[-4:]
    assert secret.value not in str(tuple(row))
    assert key.hint == f"tgm_live_…{secret.value[-4:]}"
    assert secret.value not in f"{secret!r} {secret} {key!r}"


def test_a_key_keeps_what_it_was_made_with(team: ULID, bot: Bot) -> None:
    expiry = datetime(2099, 1, 1, tzinfo=UTC)
    rights = Rights("Kasir", frozenset({bot.id}), "send*, getMe", 5, expiry)
    made, _ = service.make(team, rights, ANI)
    kept = service.get(team, made.id)
    assert (kept.patterns, kept.per_minute, kept.expires_at) == (("send*", "getMe"), 5, expiry)
    assert not kept.all_bots
    assert service.chosen_bots(team) == {kept.id: [bots.get(team, bot.id)]}


@pytest.mark.parametrize("foreign", [True, False])
def test_a_bot_that_is_not_the_teams_is_not_found(
    team: ULID, telegram: FakeTelegram, foreign: bool
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    other = bots.add(make_team("Warung"), OTHER_TOKEN, None, ANI)
    rights = Rights("Kasir", frozenset({other.id if foreign else new_id()}))
    with pytest.raises(NotFound, match="There is no such bot"):
        service.make(team, rights, ANI)
    assert service.of_team(team) == []


def test_a_key_is_narrowed(team: ULID, key: ApiKey, bot: Bot) -> None:
    expiry = utcnow() + DAY
    rights = Rights("Kasir 2", frozenset({bot.id}), "getMe", 7, expiry)
    service.change(team, key.id, rights, ANI)
    kept = service.get(team, key.id)
    assert (kept.name, kept.methods, kept.per_minute) == ("Kasir 2", "getMe", 7)
    assert (kept.expires_at, kept.all_bots) == (expiry, False)
    assert list(service.chosen_bots(team)) == [key.id]


def test_a_key_is_widened_again(team: ULID, bot: Bot) -> None:
    key, _ = service.make(team, Rights("Kasir", frozenset({bot.id}), "getMe"), ANI)
    service.change(team, key.id, Rights("Kasir"), ANI)
    assert service.get(team, key.id).all_bots
    assert service.chosen_bots(team) == {}


def test_a_refused_change_leaves_the_key_as_it_was(team: ULID, bot: Bot) -> None:
    key, _ = service.make(team, Rights("Kasir", frozenset({bot.id}), "getMe"), ANI)
    with pytest.raises(NotFound):
        service.change(team, key.id, Rights("Other", frozenset({new_id()})), ANI)
    assert service.get(team, key.id).name == "Kasir"
    assert list(service.chosen_bots(team)) == [key.id]


def test_a_revoked_key_is_final(team: ULID, key: ApiKey) -> None:
    service.revoke(team, key.id, ANI)
    revoked_at = service.get(team, key.id).revoked_at
    service.revoke(team, key.id, ANI)
    assert service.get(team, key.id).revoked_at == revoked_at
    with pytest.raises(Conflict):
        service.change(team, key.id, Rights("Kasir"), ANI)
    with pytest.raises(Conflict):
        service.rotate(team, key.id, 24, ANI)


def test_a_key_works_until_its_expiry(team: ULID) -> None:
    expiry = utcnow() + DAY
    key, _ = service.make(team, Rights("Kasir", expires_at=expiry), ANI)
    assert key.state(expiry - HOUR / 3600) is KeyState.ACTIVE
    assert key.state(expiry) is KeyState.EXPIRED


def test_rotation_makes_a_successor_with_the_same_rights(team: ULID, bot: Bot) -> None:
    expiry = utcnow() + 90 * DAY
    rights = Rights("Kasir", frozenset({bot.id}), "send*", 7, expiry)
    old, old_secret = service.make(team, rights, ANI)
    before = utcnow()
    new, new_secret = service.rotate(team, old.id, 24, ANI)
    assert new_secret.value != old_secret.value
    assert new.rotated_from == old.id
    assert (new.name, new.methods, new.per_minute) == ("Kasir", "send*", 7)
    assert new.expires_at == expiry
    assert service.chosen_bots(team)[new.id] == service.chosen_bots(team)[old.id]
    ends = service.get(team, old.id).expires_at
    assert ends is not None
    assert before + DAY <= ends <= utcnow() + DAY


def test_an_overlap_of_zero_stops_the_old_key_at_once(team: ULID, key: ApiKey) -> None:
    new, _ = service.rotate(team, key.id, 0, ANI)
    now = utcnow()
    assert service.get(team, key.id).state(now) is KeyState.EXPIRED
    assert new.state(now) is KeyState.ACTIVE


def test_an_overlap_does_not_lengthen_the_old_keys_life(team: ULID) -> None:
    expiry = utcnow() + HOUR
    old, _ = service.make(team, Rights("Kasir", expires_at=expiry), ANI)
    service.rotate(team, old.id, 24, ANI)
    assert service.get(team, old.id).expires_at == expiry


def test_an_expired_key_is_not_rotated_but_can_be_given_a_later_expiry(
    team: ULID, key: ApiKey
) -> None:
    service.rotate(team, key.id, 0, ANI)
    with pytest.raises(Conflict):
        service.rotate(team, key.id, 24, ANI)
    expired = service.get(team, key.id).expires_at
    service.change(team, key.id, Rights("Old one", expires_at=expired), ANI)
    service.change(team, key.id, Rights("Old one", expires_at=utcnow() + DAY), ANI)
    assert service.get(team, key.id).state(utcnow()) is KeyState.ACTIVE


def test_a_key_whose_last_bot_was_deleted_may_use_none(team: ULID, bot: Bot) -> None:
    key, _ = service.make(team, Rights("Kasir", frozenset({bot.id})), ANI)
    bots.delete(team, bot.id, bot.name, ANI)
    assert not service.get(team, key.id).all_bots
    assert db.session.scalars(select(ApiKeyBot)).all() == []
    successor, _ = service.rotate(team, key.id, 24, ANI)
    assert not successor.all_bots


def test_another_teams_key_is_like_one_that_does_not_exist(key: ApiKey) -> None:
    others = make_team("Warung")
    attempts: list[Callable[[ULID], object]] = [
        lambda key_id: service.get(others, key_id),
        lambda key_id: service.change(others, key_id, Rights("Mine"), ANI),
        lambda key_id: service.rotate(others, key_id, 24, ANI),
        lambda key_id: service.revoke(others, key_id, ANI),
    ]
    for attempt in attempts:
        answers = set()
        for key_id in (key.id, new_id()):
            with pytest.raises(NotFound) as caught:
                attempt(key_id)
            answers.add(caught.value.description)
        assert len(answers) == 1
    assert service.of_team(others) == []


def test_every_change_is_in_the_audit_log_without_the_key(team: ULID) -> None:
    key, secret = service.make(team, Rights("Kasir"), ANI)
    service.change(team, key.id, Rights("Kasir", methods="getMe"), ANI)
    _, successor_secret = service.rotate(team, key.id, 24, ANI)
    service.revoke(team, key.id, ANI)
    service.revoke(team, key.id, ANI)
    entries = acts(team)
    assert sorted(entry.action for entry in entries) == [
        "key.changed",
        "key.made",
        "key.made",
        "key.revoked",
        "key.rotated",
    ]
    told = "".join(f"{entry.subject_name}{entry.details}" for entry in entries)
    assert secret.value not in told
    assert successor_secret.value not in told


@pytest.mark.parametrize(
    ("rights", "field"),
    [
        (Rights(""), "name"),
        (Rights("Kasir", methods="send-all"), "methods"),
        (Rights("Kasir", per_minute=0), "per_minute"),
        (Rights("Kasir", expires_at=datetime(2020, 1, 1, tzinfo=UTC)), "expires"),
        (Rights("Kasir", bot_ids=frozenset()), "bots"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(team: ULID, rights: Rights, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        service.make(team, rights, ANI)
    assert caught.value.field == field
    assert service.of_team(team) == []
