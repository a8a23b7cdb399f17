"""How soon a change takes effect, in this process and in others."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import event
from ulid import ULID

from tests.fakes.telegram import TOKEN
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.keys.models import ApiKey
from tgm.keys.rights import Rights
from tgm.keys.snapshot import (
    CHECK_SECONDS,
    OLDEST_SECONDS,
    UNKNOWN_AT_ONCE,
    UNKNOWN_PER_SECOND,
    KnownKey,
    Snapshot,
)

NAME = "Kasir"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


@pytest.fixture
def key(team: ULID, bot: Bot) -> ApiKey:
    return keys.make(team, Rights(NAME), COMMAND_LINE)[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def elsewhere(app: Flask, key: ApiKey, clock: Clock) -> Snapshot:
    """The snapshot of another process, which has just looked."""
    snapshot = Snapshot(db.engine, clock)
    snapshot.current()
    return snapshot


@pytest.fixture
def queries(app: Flask) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(*args: object) -> None:
        if str(args[2]).startswith("SELECT"):
            seen.append(str(args[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def known(snapshot: Snapshot, key: ApiKey) -> KnownKey:
    return snapshot.current().keys[key.digest]


def test_a_change_takes_effect_within_one_second() -> None:
    assert CHECK_SECONDS < 1


Change = Callable[[ApiKey, Bot], object]
Seen = Callable[[Snapshot, ApiKey, Bot], bool]
CHANGES: dict[str, tuple[Change, Seen]] = {
    "a revoked key": (
        lambda key, bot: keys.revoke(key.team_id, key.id, COMMAND_LINE),
        lambda snapshot, key, bot: known(snapshot, key).refusal(0) == "key_revoked",
    ),
    "a key rotated without overlap": (
        lambda key, bot: keys.rotate(key.team_id, key.id, 0, COMMAND_LINE),
        lambda snapshot, key, bot: known(snapshot, key).refusal(9e9) == "key_expired",
    ),
    "a key with fewer methods": (
        lambda key, bot: keys.change(
            key.team_id, key.id, Rights(NAME, methods="get*"), COMMAND_LINE
        ),
        lambda snapshot, key, bot: not known(snapshot, key).may_call("sendMessage"),
    ),
    "a key with a lower rate": (
        lambda key, bot: keys.change(key.team_id, key.id, Rights(NAME, per_minute=3), COMMAND_LINE),
        lambda snapshot, key, bot: known(snapshot, key).per_minute == 3,
    ),
    "a new key": (
        lambda key, bot: keys.make(key.team_id, Rights("New"), COMMAND_LINE),
        lambda snapshot, key, bot: len(snapshot.current().keys) == 2,
    ),
    "a disabled bot": (
        lambda key, bot: bots.disable(bot.team_id, bot.id, COMMAND_LINE),
        lambda snapshot, key, bot: snapshot.current().bots[str(bot.id)].is_disabled,
    ),
    "a replaced token": (
        lambda key, bot: bots.replace_token(bot.team_id, bot.id, TOKEN, COMMAND_LINE),
        lambda snapshot, key, bot: (
            snapshot.current().bots[str(bot.id)].sealed_token != bot.sealed_token
        ),
    ),
    "a deleted bot": (
        lambda key, bot: bots.delete(bot.team_id, bot.id, bot.name, COMMAND_LINE),
        lambda snapshot, key, bot: snapshot.current().bots == {},
    ),
}


@pytest.mark.parametrize(("change", "is_seen"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen_at_once_here_and_after_the_next_check_elsewhere(
    elsewhere: Snapshot, clock: Clock, key: ApiKey, bot: Bot, change: Change, is_seen: Seen
) -> None:
    assert not is_seen(runtime.snapshot, key, bot)
    change(key, bot)
    assert is_seen(runtime.snapshot, key, bot)
    assert not is_seen(elsewhere, key, bot)
    clock.now += CHECK_SECONDS
    assert is_seen(elsewhere, key, bot)


def test_a_new_key_is_known_elsewhere_at_once(elsewhere: Snapshot, team: ULID, bot: Bot) -> None:
    for _ in range(3):
        new, _ = keys.make(team, Rights("New"), COMMAND_LINE)
        found = elsewhere.key(new.digest)
        assert found is not None
        assert found.id == str(new.id)


def test_a_flood_of_keys_that_are_made_up_causes_few_looks(
    elsewhere: Snapshot, clock: Clock, queries: list[str]
) -> None:
    for number in range(2000):
        clock.now += 1 / 2000
        assert elsewhere.key(f"made up {number}") is None
    # And one more for each check that is due anyway.
    assert len(queries) <= UNKNOWN_AT_ONCE + UNKNOWN_PER_SECOND + 1 / CHECK_SECONDS
    assert all("revision" in query for query in queries)


def test_a_key_that_is_made_during_such_a_flood_is_known_soon(
    elsewhere: Snapshot, clock: Clock, team: ULID, bot: Bot
) -> None:
    for number in range(1000):
        elsewhere.key(f"made up {number}")
    new, _ = keys.make(team, Rights("New"), COMMAND_LINE)
    assert elsewhere.key(new.digest) is None
    clock.now += 2 / UNKNOWN_PER_SECOND
    assert elsewhere.key(new.digest) is not None


def test_a_key_that_is_known_causes_none(
    elsewhere: Snapshot, clock: Clock, key: ApiKey, queries: list[str]
) -> None:
    clock.now += CHECK_SECONDS * 0.9
    assert elsewhere.key(key.digest) is not None
    assert queries == []


def test_between_two_checks_nothing_is_queried(
    elsewhere: Snapshot, clock: Clock, queries: list[str]
) -> None:
    clock.now += CHECK_SECONDS * 0.9
    elsewhere.current()
    assert queries == []


def test_a_check_that_takes_long_holds_up_nobody_until_what_is_known_is_too_old(
    elsewhere: Snapshot, clock: Clock
) -> None:
    asked, may_go_on = threading.Event(), threading.Event()

    def hold(*_args: object) -> None:
        asked.set()
        assert may_go_on.wait(20)

    before = elsewhere.current()
    clock.now += CHECK_SECONDS
    event.listen(db.engine, "before_cursor_execute", hold)
    try:
        with ThreadPoolExecutor() as pool:
            checking = pool.submit(elsewhere.current)
            assert asked.wait(20)
            assert elsewhere.current() is before
            clock.now += OLDEST_SECONDS
            late = pool.submit(elsewhere.current)
            assert not late.done()
            may_go_on.set()
            assert checking.result(20) is late.result(20) is before
    finally:
        may_go_on.set()
        event.remove(db.engine, "before_cursor_execute", hold)


def test_a_check_reads_one_number_while_nothing_has_changed(
    elsewhere: Snapshot, clock: Clock, queries: list[str]
) -> None:
    before = elsewhere.current()
    clock.now += CHECK_SECONDS
    assert elsewhere.current() is before
    assert len(queries) == 1
    assert "revision" in queries[0]


def test_a_key_for_chosen_bots_may_use_no_other(team: ULID, bot: Bot) -> None:
    chosen, _ = keys.make(team, Rights("One", bot_ids=frozenset({bot.id})), COMMAND_LINE)
    known_bot = runtime.snapshot.current().bots[str(bot.id)]
    assert known(runtime.snapshot, chosen).may_use(known_bot)
    bots.delete(team, bot.id, bot.name, COMMAND_LINE)
    again = bots.add(team, TOKEN, None, COMMAND_LINE)
    known_bot = runtime.snapshot.current().bots[str(again.id)]
    assert not known(runtime.snapshot, chosen).may_use(known_bot)


def test_no_key_may_use_another_teams_bot(bot: Bot) -> None:
    foreign, _ = keys.make(make_team("Warung"), Rights(NAME), COMMAND_LINE)
    known_bot = runtime.snapshot.current().bots[str(bot.id)]
    assert not known(runtime.snapshot, foreign).may_use(known_bot)


def test_a_failed_change_is_no_change(app: Flask, team: ULID, bot: Bot) -> None:
    before = runtime.snapshot.current().revision
    with pytest.raises(Exception, match="This is not the bot's name"):
        bots.delete(team, bot.id, "wrong", COMMAND_LINE)
    runtime.snapshot.drop()
    assert runtime.snapshot.current().revision == before


def test_what_is_known_of_a_bot_does_not_print_its_token(bot: Bot) -> None:
    assert bot.sealed_token not in repr(runtime.snapshot.current())
