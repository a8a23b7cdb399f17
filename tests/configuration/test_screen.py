"""The settings' screen: what is in force and where it comes from, and no secret."""

import re
import tomllib
from base64 import b64encode
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.fakes.telegram import TOKEN
from tests.making import browser_of, make_team
from tests.webhook.rows import an_update, make_delivery, make_endpoint, make_reception
from tgm.audit.service import COMMAND_LINE
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.configuration import service
from tgm.configuration.words import GROUPS, MEANINGS
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.proxy.requestlog import LogRow
from tgm.settings import OPTIONS, PROJECT, Settings, Source
from tgm.shared.clock import utcnow
from tgm.webhook.models import Mode

PAGE = "/dashboard/settings"
KEY = b64encode(b"recognisable-encryption-key-0001").decode()
CANARIES = ("canary-one", "canary-two", "canary-three", KEY, "recognisable")


def row(page: str, name: str) -> str:
    """Return a setting's row as text."""
    found = [part for part in page.split("<tr>") if f"<code>{name}</code>" in part]
    assert len(found) == 1, f"{name} has {len(found)} rows"
    text = re.sub(r"<[^>]+>", " ", found[0].partition("</tr>")[0])
    return " ".join(unescape(text).split())


def test_every_setting_has_a_row_a_group_and_a_meaning(signed_in: FlaskClient) -> None:
    assert set(MEANINGS) == {option.name for option in OPTIONS}
    page = signed_in.get(PAGE).text
    for option in OPTIONS:
        group, meaning = MEANINGS[option.name]
        assert group in GROUPS
        assert meaning in row(page, option.name)


def test_the_default_is_shown_as_the_default(signed_in: FlaskClient) -> None:
    page = signed_in.get(PAGE).text
    assert row(page, "RATE_LIMIT_PER_MINUTE").startswith("RATE_LIMIT_PER_MINUTE 60 default")
    assert row(page, "RATE_LIMIT_STORAGE_URI").startswith("RATE_LIMIT_STORAGE_URI memory://")
    assert "SQLite in the instance folder" in row(page, "DATABASE_URL")
    assert "made at the first start" in row(page, "SECRET_KEY")
    assert row(page, "WEBHOOK_BASE_URL").startswith("WEBHOOK_BASE_URL none default")


@pytest.mark.given(
    RATE_LIMIT_PER_MINUTE="77",
    WEBHOOK_BASE_URL="https://tgm.example.com",
    WEBHOOK_ALLOWED_NETWORKS="10.1.0.0/16,192.168.7.0/24",
)
def test_what_the_environment_gives_is_shown_with_the_default_beside_it(
    signed_in: FlaskClient,
) -> None:
    page = signed_in.get(PAGE).text
    beginning = "RATE_LIMIT_PER_MINUTE 77 default: 60 environment"
    assert row(page, "RATE_LIMIT_PER_MINUTE").startswith(beginning)
    assert "https://tgm.example.com environment" in row(page, "WEBHOOK_BASE_URL")
    assert "10.1.0.0/16, 192.168.7.0/24" in row(page, "WEBHOOK_ALLOWED_NETWORKS")


def test_a_value_of_the_file_says_so(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=9001\nTHREADS=9\nHOST=::1\n")
    given = {"PORT": "9002", "HOST": "", "INSTANCE_PATH": str(tmp_path)}
    sources = Settings.load(given, dotenv).sources
    assert sources["PORT"] is Source.ENVIRONMENT
    assert sources["THREADS"] is Source.DOTENV
    # An empty value counts as not given, and hides the file's.
    assert sources["HOST"] is Source.DEFAULT
    assert set(sources) == {option.name for option in OPTIONS}


@pytest.fixture
def all_given(tmp_path: Path) -> dict[str, str]:
    """Every setting, each secret one recognisable."""
    (tmp_path / "ca.pem").touch()
    secret = {
        "TELEGRAM_PROXY_URL": "http://canary-one:canary-two@127.0.0.1:3128",
        "DATABASE_URL": f"sqlite:///{tmp_path}/canary-three.sqlite3",
        "RATE_LIMIT_STORAGE_URI": "memory://canary-one",
        "SECRET_KEY": "canary-three" * 4,
        "ENCRYPTION_KEYS": f"{KEY},{KEY}",
    }
    plain = {option.name: option.example for option in OPTIONS if not option.secret}
    files = {
        "TELEGRAM_CA_FILE": str(tmp_path / "ca.pem"),
        "TELEGRAM_FILES_DIR": str(tmp_path),
        "INSTANCE_PATH": str(tmp_path),
    }
    return {**plain, **secret, **files}


def test_no_secret_is_shown_whatever_is_set(app: Flask, all_given: dict[str, str]) -> None:
    settings = Settings.load(all_given, dotenv=None)
    assert {option.name for option in OPTIONS} == set(all_given)
    shown = [each for group in service.shown(settings).values() for each in group]
    assert len(shown) == len(OPTIONS)
    for canary in CANARIES:
        assert canary not in str(shown)
    secrets = {option.name for option in OPTIONS if option.secret}
    assert {each.name for each in shown if each.value == "set"} == secrets
    assert {each.source for each in shown} == {Source.ENVIRONMENT}


@pytest.mark.given(
    TELEGRAM_PROXY_URL="http://canary-one:canary-two@127.0.0.1:3128",
    RATE_LIMIT_STORAGE_URI="memory://canary-one",
    SECRET_KEY="canary-three" * 4,
    ENCRYPTION_KEYS=KEY,
)
def test_the_page_itself_shows_none_either(signed_in: FlaskClient) -> None:
    page = signed_in.get(PAGE).text
    for canary in CANARIES:
        assert canary not in page
    for name in ("SECRET_KEY", "ENCRYPTION_KEYS", "TELEGRAM_PROXY_URL", "RATE_LIMIT_STORAGE_URI"):
        assert row(page, name).startswith(f"{name} set")
        assert "environment" in row(page, name)


@pytest.mark.parametrize("role", list(Role))
def test_only_admins_may_read_it(app: Flask, role: Role) -> None:
    client = browser_of(app, make_team("Toko"), role)
    assert client.get(PAGE).status_code == (200 if role.may(Role.ADMIN) else 403)


def test_it_tells_versions_and_how_much_is_kept(signed_in: FlaskClient, owner: Person) -> None:
    team, now = owner.places[0].team_id, utcnow()
    facts = service.facts()
    assert (facts.requests.about, facts.requests.oldest) == (0, None)
    assert facts.database_size > 100_000
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    key, _ = keys.make(team, Rights("Kasir"), COMMAND_LINE)
    make_reception(bot.id, Mode.POLLING)
    endpoint = make_endpoint(bot.id, "Shop")
    for number in range(3):
        make_delivery(endpoint, an_update(number, "Halo"), at=now)
        runtime.request_log.add(a_call(str(team), str(bot.id), str(key.id)))
    runtime.request_log.flush()
    facts = service.facts()
    assert (facts.requests.about, facts.updates.about, facts.deliveries.about) == (3, 3, 3)
    assert facts.updates.oldest == now
    page = signed_in.get(PAGE).text
    for version in (facts.tgm, facts.python, facts.packages["flask"], "SQLite"):
        assert version in page


def a_call(team: str, bot: str, key: str) -> LogRow:
    return LogRow(
        at=utcnow(),
        team_id=team,
        bot_id=bot,
        key_id=key,
        method="getMe",
        source="telegram",
        status=200,
        error=None,
        bytes_in=0,
        bytes_out=0,
        milliseconds=1,
    )


def test_it_lists_the_packages_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert list(service.PACKAGES) == sorted(project["dependencies"])
