"""Endpoints on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.cli.conftest import Outcome, Run
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.webhook.rows import an_update, make_delivery
from tgm import create_app, database
from tgm.settings import Settings
from tgm.shared.ids import parse_id
from tgm.webhook import endpoints
from tgm.webhook.models import State

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


@dataclass(frozen=True)
class Delivered:
    """Deliveries to one endpoint: `arrived` did, `dead` did not."""

    endpoint_id: str
    arrived: str
    dead: str


@pytest.fixture
def delivered(given: Mapping[str, str], added: Outcome) -> Delivered:
    app = create_app(Settings.load(dict(given), dotenv=None))
    with app.app_context():
        endpoint_id = parse_id(added.json["id"])
        assert endpoint_id is not None
        endpoint = endpoints.get(endpoints.team_of(endpoint_id), endpoint_id)
        arrived = make_delivery(endpoint, an_update(1), state=State.DELIVERED, next_at=None)
        dead = make_delivery(endpoint, an_update(2), state=State.DEAD, next_at=None)
        found = Delivered(str(endpoint_id), str(arrived.id), str(dead.id))
    database.close(app)
    return found


def test_one_delivery_is_replayed_as_a_new_one_that_names_it(
    run: Run, delivered: Delivered
) -> None:
    answer = run("webhook", "replay", delivered.arrived, "--json").json
    assert (answer["replayed"], answer["origin_id"]) == (1, delivered.arrived)
    assert answer["id"] not in {delivered.arrived, delivered.dead}


def test_all_that_match_are_replayed_and_counted(run: Run, delivered: Delivered) -> None:
    dead = run(
        "webhook", "replay", "--endpoint", delivered.endpoint_id, "--state", "dead", "--json"
    )
    assert dead.json == {"replayed": 1, "matched": 1}
    # What that one made is on its way, and is left out.
    both = run("webhook", "replay", "--endpoint", delivered.endpoint_id, "--json")
    assert both.json == {"replayed": 2, "matched": 2}


def test_an_unknown_bot_or_kind_is_refused(run: Run, bot_id: str) -> None:
    assert run("webhook", "add", "01HZXK3V5QJ8Y3N6M2R7T4W9AB", URL).code == 1
    assert run("webhook", "add", bot_id, URL, "--events", "no_such_kind").code == 1
