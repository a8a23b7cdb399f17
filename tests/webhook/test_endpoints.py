"""Endpoints: checked, sealed, paused, drained, rotated, removed; and never another team's."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from ulid import ULID

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram, refusal
from tests.making import acts, make_team
from tests.webhook.rows import an_update, make_attempt, make_delivery, make_endpoint
from tgm.audit.service import Actor
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.security.vault import SealBroken, Vault, new_key
from tgm.shared.clock import utcnow
from tgm.shared.errors import Invalid, NotFound, TgmError
from tgm.shared.ids import new_id
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.webhook import endpoints, receiving
from tgm.webhook.models import Attempt, Delivery, Endpoint, State, StoredUpdate

ANI = Actor("ani@example.com")
# An address of its own needs no look-up, and nothing is ever sent there.
URL = "https://8.8.8.8/hook?key=SECRETOFTHEIRS"


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, ANI)


@pytest.fixture
def endpoint(bot: Bot) -> Endpoint:
    return make_endpoint(bot.id)


@pytest.fixture
def stranger(app: Flask) -> ULID:
    return make_team("Warung")


def kept(endpoint_id: ULID) -> Endpoint:
    db.session.rollback()
    return db.session.get_one(Endpoint, endpoint_id)


def count(model: type[Any]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def opened(endpoint: Endpoint, column: str = "sealed_secret") -> str:
    return runtime.vault.open(getattr(endpoint, column), place=endpoint.secret_place(column))


def test_an_endpoint_gets_a_secret_that_is_only_sealed_here(team: ULID, bot: Bot) -> None:
    added = endpoints.add(team, bot.id, f" {URL} ", actor=ANI)
    row = kept(added.endpoint.id)
    assert added.secret.value.startswith("whsec_")
    assert opened(row) == added.secret.value
    assert added.secret.value not in f"{added!r} {row.sealed_secret}"
    assert (row.url, row.name, row.kinds) == (URL, "8.8.8.8", None)
    assert (row.is_paused, row.takes_answers) == (False, False)
    assert added.warning is None


def test_a_name_and_kinds_are_kept_in_telegrams_order(team: ULID, bot: Bot) -> None:
    kinds = ["callback_query", "message", "message"]
    added = endpoints.add(team, bot.id, URL, name=" Shop ", kinds=kinds, actor=ANI)
    assert kept(added.endpoint.id).kinds == ["message", "callback_query"]
    assert added.endpoint.name == "Shop"


def test_the_first_one_switches_receiving_on(team: ULID, bot: Bot) -> None:
    assert receiving.of_bot(bot.id) is None
    endpoints.add(team, bot.id, URL, actor=ANI)
    assert receiving.of_bot(bot.id) is not None
    actions = [act.action for act in acts(team)]
    assert actions.index("endpoint.added") > actions.index("bot.added")


def test_a_further_one_leaves_a_bot_that_was_handed_back_alone(team: ULID, bot: Bot) -> None:
    endpoints.add(team, bot.id, URL, actor=ANI)
    receiving.hand_back(team, bot.id, ANI)
    endpoints.add(team, bot.id, URL, actor=ANI)
    assert receiving.of_bot(bot.id) is None


def test_adding_sends_nothing_to_it_and_delivers_nothing_that_came_before(
    team: ULID, bot: Bot, endpoint: Endpoint
) -> None:
    make_delivery(endpoint, an_update(1))
    endpoints.add(team, bot.id, URL, actor=ANI)
    assert count(Delivery) == 1


def test_when_telegram_refuses_no_endpoint_is_left(
    team: ULID, bot: Bot, telegram: FakeTelegram
) -> None:
    for method in ("deleteWebhook", "setWebhook", "getWebhookInfo"):
        telegram.always(method, refusal(400, "Bad Request: no"))
    with pytest.raises(TgmError):
        endpoints.add(team, bot.id, URL, actor=ANI)
    assert count(Endpoint) == 0


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "Please give a URL"),
        ("https://8.8.8.8/" + "x" * 2048, "2048"),
        ("http://8.8.8.8/", r"\w"),
        ("https://127.0.0.1/", r"\w"),
        ("https://169.254.169.254/latest", r"\w"),
        ("https://ani:password@8.8.8.8/", r"\w"),
        ("ftp://8.8.8.8/", r"\w"),
    ],
)
def test_a_url_that_must_not_be_is_refused(
    team: ULID, bot: Bot, endpoint: Endpoint, url: str, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        endpoints.add(team, bot.id, url, actor=ANI)
    assert refused.value.field == "url"
    assert count(Endpoint) == 1
    with pytest.raises(Invalid, match=sentence):
        change(team, endpoint, url=url)
    assert kept(endpoint.id).url == endpoint.url


def test_a_name_that_does_not_resolve_is_a_warning(team: ULID, bot: Bot) -> None:
    assert endpoints.add(team, bot.id, "https://nothing.invalid/", actor=ANI).warning


@pytest.mark.parametrize("kinds", [["message", "news"], []])
def test_kinds_must_be_telegrams(team: ULID, bot: Bot, kinds: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        endpoints.add(team, bot.id, URL, kinds=kinds, actor=ANI)
    assert refused.value.field == "kinds"
    assert count(Endpoint) == 0


def change(team: ULID, endpoint: Endpoint, **fields: Any) -> str | None:
    given = {"url": endpoint.url, "name": "Toko", "kinds": None, "takes_answers": False, **fields}
    return endpoints.change(team, endpoint.id, actor=ANI, **given)


def test_all_that_a_person_may_change_is_changed(team: ULID, endpoint: Endpoint) -> None:
    with writing() as session:
        row = endpoints.find(session, team, endpoint.id)
        row.failing_since, row.last_error = utcnow(), "HTTP 500"
    kinds = list(UPDATE_KINDS[:1])
    assert change(team, endpoint, url=URL, name="Kasir", kinds=kinds, takes_answers=True) is None
    row = kept(endpoint.id)
    assert (row.url, row.name, row.kinds, row.takes_answers) == (URL, "Kasir", kinds, True)
    # Another receiver starts with a clean slate.
    assert (row.failing_since, row.last_error) == (None, None)
    assert change(team, endpoint, url="https://nothing.invalid/")


def test_pausing_holds_and_resuming_drains_what_waited(team: ULID, endpoint: Endpoint) -> None:
    later = utcnow() + timedelta(hours=6)
    done = make_delivery(endpoint, an_update(1), state=State.DELIVERED, next_at=None)
    waiting = make_delivery(endpoint, an_update(2), next_at=later)
    make_delivery(endpoint, an_update(3), state=State.DEAD, next_at=None)
    endpoints.pause(team, endpoint.id, ANI)
    row = kept(endpoint.id)
    assert (row.paused_because, row.drain_until_seq) == ("person", None)
    assert row.paused_at is not None

    endpoints.resume(team, endpoint.id, ANI)
    row = kept(endpoint.id)
    assert (row.paused_because, row.paused_at) == (None, None)
    assert row.drain_until_seq == waiting.seq
    due = db.session.get_one(Delivery, waiting.seq).next_at
    assert due is not None
    assert due <= utcnow()
    assert db.session.get_one(Delivery, done.seq).next_at is None


def test_an_endpoint_that_was_paused_for_failing_starts_its_three_days_anew(
    team: ULID, bot: Bot
) -> None:
    since = utcnow() - timedelta(days=3)
    endpoint = make_endpoint(
        bot.id, paused_because="failing", paused_at=utcnow(), failing_since=since
    )
    # A person who pauses it as well does not hide why it had been.
    assert endpoints.pause(team, endpoint.id, ANI).paused_because == "failing"
    assert endpoints.resume(team, endpoint.id, ANI).failing_since is None
    assert kept(endpoint.id).drain_until_seq is None


def test_only_what_changes_something_is_in_the_audit_log(team: ULID, endpoint: Endpoint) -> None:
    endpoints.resume(team, endpoint.id, ANI)
    for _ in range(2):
        endpoints.pause(team, endpoint.id, ANI)
    actions = [act.action for act in acts(team)]
    assert actions.count("endpoint.paused") == 1
    assert "endpoint.resumed" not in actions


def test_removing_takes_deliveries_and_attempts_along_but_no_update(
    team: ULID, bot: Bot, endpoint: Endpoint
) -> None:
    other = make_endpoint(bot.id, "Other")
    make_attempt(make_delivery(endpoint, an_update(1)))
    make_attempt(make_delivery(other, an_update(2)))
    endpoints.remove(team, endpoint.id, ANI)
    assert [row.id for row in endpoints.of_bot(bot.id)] == [other.id]
    assert (count(Delivery), count(Attempt), count(StoredUpdate)) == (1, 1, 2)


def test_after_a_rotation_both_secrets_are_there_for_24_hours(
    team: ULID, endpoint: Endpoint
) -> None:
    old = opened(endpoint)
    secret = endpoints.rotate_secret(team, endpoint.id, ANI)
    row = kept(endpoint.id)
    assert opened(row) == secret.value != old
    assert opened(row, "sealed_old_secret") == old
    assert row.old_secret_until is not None
    assert abs(row.old_secret_until - utcnow() - timedelta(hours=24)) < timedelta(minutes=1)
    # Sealed for its own place: the two columns cannot be swapped.
    with pytest.raises(SealBroken):
        runtime.vault.open(row.sealed_old_secret or "", place=row.secret_place())


def test_both_secrets_are_sealed_anew(team: ULID, endpoint: Endpoint) -> None:
    endpoints.rotate_secret(team, endpoint.id, ANI)
    before = (opened(kept(endpoint.id)), opened(kept(endpoint.id), "sealed_old_secret"))
    newer, new = _vault_after_rotation()
    with writing() as session:
        assert endpoints.reseal(session, newer) == 2
    row, only_new = kept(endpoint.id), Vault([new])
    columns = ("sealed_secret", "sealed_old_secret")
    places = [(getattr(row, column), row.secret_place(column)) for column in columns]
    assert tuple(only_new.open(sealed, place=place) for sealed, place in places) == before


def _vault_after_rotation() -> tuple[Vault, bytes]:
    new = new_key()
    vault = Vault([new])
    # What the instance's own vault can open, under a newer key in front.
    vault._ciphers.update(runtime.vault._ciphers)
    return vault, new


ACTS: list[Callable[[ULID, ULID], object]] = [
    endpoints.get,
    lambda team, found: endpoints.pause(team, found, ANI),
    lambda team, found: endpoints.resume(team, found, ANI),
    lambda team, found: endpoints.remove(team, found, ANI),
    lambda team, found: endpoints.rotate_secret(team, found, ANI),
    lambda team, found: endpoints.change(
        team, found, url=URL, name="x", kinds=None, takes_answers=False, actor=ANI
    ),
]


@pytest.mark.parametrize("act", ACTS)
def test_another_teams_endpoint_is_not_found(
    stranger: ULID, team: ULID, endpoint: Endpoint, act: Callable[[ULID, ULID], object]
) -> None:
    with pytest.raises(NotFound):
        act(stranger, endpoint.id)
    with pytest.raises(NotFound):
        act(team, new_id())
    row = kept(endpoint.id)
    assert (row.url, row.paused_because, row.sealed_old_secret) == (endpoint.url, None, None)


def test_another_teams_bot_gets_no_endpoint(
    stranger: ULID, team: ULID, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    theirs = bots.add(stranger, OTHER_TOKEN, None, ANI)
    with pytest.raises(NotFound):
        endpoints.add(team, theirs.id, URL, actor=ANI)
    assert count(Endpoint) == 0


def test_every_act_is_in_the_audit_log_and_no_secret(team: ULID, bot: Bot) -> None:
    added = endpoints.add(team, bot.id, URL, name="Shop", actor=ANI)
    found = added.endpoint
    change(team, found, name="Kasir")
    endpoints.pause(team, found.id, ANI)
    endpoints.resume(team, found.id, ANI)
    secret = endpoints.rotate_secret(team, found.id, ANI)
    endpoints.remove(team, found.id, ANI)
    entries = [act for act in acts(team) if act.action.startswith("endpoint.")]
    assert [entry.action.partition(".")[2] for entry in entries] == [
        "added", "changed", "paused", "resumed", "secret_rotated", "removed",
    ]  # fmt: skip
    assert {entry.subject_id for entry in entries} == {str(found.id)}
    text = " ".join(str(entry.details) for entry in entries)
    assert "8.8.8.8" in text
    for hidden in ("SECRETOFTHEIRS", added.secret.value, secret.value):
        assert hidden not in text
