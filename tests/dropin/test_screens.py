"""Where the dashboard shows tokens for libraries, and how programs receive."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import submit
from tests.dropin.asking import arriving
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.webhook.rows import make_endpoint, make_reception
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.dropin.consumers import Consumers
from tgm.dropin.tokens import read
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.keys.models import ApiKey
from tgm.keys.rights import Rights
from tgm.security.credentials import digest
from tgm.webhook.models import Mode

KEYS = "/dashboard/api-keys"
PLAIN = {
    "name": "Kasir",
    "reach": "all",
    "methods": "*",
    "per_minute": "",
    "expires": "never",
    "expires_on": "",
}
TOKENS = re.compile(r'<code id="token-[^"]*"[^>]*>([^<]*)</code>')


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


@pytest.fixture
def other_bot(team: ULID, telegram: FakeTelegram) -> Bot:
    telegram.add_bot(OTHER_TOKEN, "Gudang", "gudang_bot")
    return bots.add(team, OTHER_TOKEN, None, COMMAND_LINE)


@pytest.fixture
def key(team: ULID) -> ApiKey:
    return keys.make(team, Rights("Kasir"), COMMAND_LINE)[0]


@pytest.fixture
def begun(key: ApiKey, bot: Bot) -> Callable[[], None]:
    """Let the key's program receive for the first time."""

    def begin() -> None:
        known = runtime.snapshot.current()
        consumers = Consumers(db.engine, db.engines[WRITER])
        (one,) = (each for each in known.keys.values() if each.id == str(key.id))
        consumers.begin(one, known.bots[str(bot.id)], COMMAND_LINE)

    return begin


def test_a_new_keys_page_has_a_token_that_works(signed_in: FlaskClient, bot: Bot) -> None:
    page = submit(signed_in, f"{KEYS}/new", **PLAIN)
    (token,) = TOKENS.findall(page.text)
    found = read(token)
    assert found is not None
    telegram_id, secret = found
    assert telegram_id == bot.telegram_id
    assert runtime.snapshot.current().keys[digest(secret)].refusal(0) is None
    # With one bot the lines are ready as they are.
    assert page.text.count(token) > 5
    assert "ApplicationBuilder" in page.text


def test_with_several_bots_there_is_a_token_for_each(
    signed_in: FlaskClient, bot: Bot, other_bot: Bot
) -> None:
    page = submit(signed_in, f"{KEYS}/new", **PLAIN)
    found = {token.partition(":")[0] for token in TOKENS.findall(page.text)}
    assert found == {str(bot.telegram_id), str(other_bot.telegram_id)}
    assert "process.env.TELEGRAM_TOKEN" in page.text


def test_there_is_a_token_only_for_the_keys_own_bots(
    signed_in: FlaskClient, bot: Bot, other_bot: Bot
) -> None:
    page = submit(signed_in, f"{KEYS}/new", **{**PLAIN, "reach": "chosen", "bots": str(bot.id)})
    assert len(TOKENS.findall(page.text)) == 1


def test_a_rotated_key_has_another_token(signed_in: FlaskClient, bot: Bot, key: ApiKey) -> None:
    assert "takes over" in signed_in.get(f"{KEYS}/{key.id}/rotate").text
    page = submit(signed_in, f"{KEYS}/{key.id}/rotate", overlap="0")
    assert len(TOKENS.findall(page.text)) == 1


def test_a_bots_page_knows_a_keys_ending_alone(
    signed_in: FlaskClient, bot: Bot, key: ApiKey
) -> None:
    address = f"/dashboard/bots/{bot.id}/libraries"
    assert f'href="{address}"' in signed_in.get(f"/dashboard/bots/{bot.id}").text
    page = unescape(signed_in.get(f"{address}?key={key.id}").text)
    assert f"{bot.telegram_id}:…{key.last_four}" in page
    assert 'os.environ["TELEGRAM_TOKEN"]' in page
    assert "http://localhost/file/bot" in page


def test_a_key_that_may_not_use_the_bot_is_not_offered(
    signed_in: FlaskClient, team: ULID, bot: Bot, other_bot: Bot
) -> None:
    narrow, _ = keys.make(team, Rights("Gudang", frozenset({other_bot.id})), COMMAND_LINE)
    page = signed_in.get(f"/dashboard/bots/{bot.id}/libraries?key={narrow.id}").text
    assert f'value="{narrow.id}"' not in page


def test_a_keys_page_says_what_waits_for_its_program(
    signed_in: FlaskClient, bot: Bot, key: ApiKey, begun: Callable[[], None]
) -> None:
    address = f"{KEYS}/{key.id}"
    assert "Updates it receives" not in signed_in.get(address).text
    begun()
    make_reception(bot.id, Mode.POLLING)
    arriving(runtime.relay.inbox, str(bot.id))(1, 2)
    page = signed_in.get(address).text
    assert "Updates it receives" in page
    assert re.search(r'data-label="Pending">2<', page)
    assert "polling" in page


def test_an_heir_stands_where_the_old_key_stood(
    signed_in: FlaskClient, team: ULID, key: ApiKey, begun: Callable[[], None]
) -> None:
    begun()
    heir, _ = keys.rotate(team, key.id, 1, COMMAND_LINE)
    assert "Updates it receives" in signed_in.get(f"{KEYS}/{heir.id}").text


def test_a_programs_endpoint_names_its_key(
    signed_in: FlaskClient, bot: Bot, key: ApiKey, begun: Callable[[], None]
) -> None:
    begun()
    endpoint = make_endpoint(bot.id, "Toko", consumer_id=key.id, paused_because="key")
    page = signed_in.get(f"/dashboard/bots/{bot.id}/webhook").text
    assert "setWebhook of the API key" in page
    assert f"{KEYS}/{key.id}" in page
    assert "No API key of its program works any more." in page
    assert f"#endpoint-{endpoint.id}" in signed_in.get(f"{KEYS}/{key.id}").text
