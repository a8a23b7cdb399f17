"""Endpoints on the command line."""

import pytest

from tests.cli.conftest import Outcome, Run
from tests.fakes.telegram import TOKEN, FakeTelegram

URL = "https://orders.example.invalid/hook"


@pytest.fixture
def bot_id(run: Run, set_up: None) -> str:
    return str(run("bot", "add", "--token-stdin", "--json", stdin=TOKEN).json["id"])


@pytest.fixture
def added(run: Run, bot_id: str) -> Outcome:
    return run("webhook", "add", bot_id, URL, "--name", "Orders", "--json")


def test_adding_one_prints_its_id_and_secret_on_one_line(added: Outcome) -> None:
    assert added.code == 0
    assert len(added.out.splitlines()) == 1
    assert len(added.json["id"]) == 26
    assert added.json["secret"].startswith("whsec_")


def test_the_first_one_switches_receiving_on(
    run: Run, added: Outcome, bot_id: str, telegram: FakeTelegram
) -> None:
    assert added.code == 0
    # Without a public address the bot is polled, so that no webhook may stand in the way.
    assert len(telegram.calls("deleteWebhook")) == 1
    assert telegram.calls("deleteWebhook")[0].body == b'{"drop_pending_updates": false}'
    assert run("webhook", "add", bot_id, URL, "--name", "Staging").code == 0
    assert len(telegram.calls("deleteWebhook")) == 1


def test_a_list_shows_states_and_no_secret(run: Run, added: Outcome, bot_id: str) -> None:
    listed = run("webhook", "list", bot_id, "--json")
    (row,) = next(iter(listed.json.values()))
    assert (row["id"], row["name"]) == (added.json["id"], "Orders")
    for outcome in (listed, run("webhook", "list")):
        assert added.json["secret"] not in outcome.out
        assert URL in outcome.out


def test_one_is_paused_resumed_turned_and_removed(run: Run, added: Outcome) -> None:
    name = added.json["id"]
    for act in ("pause", "resume"):
        assert run("webhook", act, name, "--json").code == 0
    turned = run("webhook", "rotate-secret", name, "--json").json["secret"]
    assert turned.startswith("whsec_")
    assert turned != added.json["secret"]
    assert run("webhook", "remove", name).code == 0
    assert run("webhook", "pause", name).code == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://orders.example.invalid/hook",
        "https://127.0.0.1/hook",
        "https://10.1.2.3/hook",
        "nonsense",
    ],
)
def test_an_address_that_is_not_allowed_is_refused(run: Run, bot_id: str, url: str) -> None:
    outcome = run("webhook", "add", bot_id, url)
    assert outcome.code == 1
    assert outcome.error


def test_nothing_to_replay_is_no_error(run: Run, added: Outcome) -> None:
    outcome = run("webhook", "replay", "--endpoint", added.json["id"], "--json")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1
    assert run("webhook", "replay", added.json["id"]).code == 1


def test_an_unknown_bot_or_kind_is_refused(run: Run, bot_id: str) -> None:
    assert run("webhook", "add", "01HZXK3V5QJ8Y3N6M2R7T4W9AB", URL).code == 1
    assert run("webhook", "add", bot_id, URL, "--events", "no_such_kind").code == 1
