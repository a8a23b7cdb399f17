"""A signed-in person chooses a bot and a key: the examples can then be copied as they are."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from ulid import ULID

from tests.browsing import submit
from tests.docs.reading import SAMPLE, Reader, required
from tests.fakes.serving import Served
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.keys import service as keys
from tgm.keys.models import ApiKey
from tgm.keys.rights import Rights
from tgm.security.secret import Secret

CALLS = ("send-message", "send-photo", "edit-message", "file", "idempotency", "order")


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def own_bots(team: ULID, telegram: FakeTelegram) -> list[Bot]:
    telegram.add_bot(OTHER_TOKEN, "Gudang", "tgm_gudang_bot")
    return [
        bots.add(team, TOKEN, "Kasir", COMMAND_LINE),
        bots.add(team, OTHER_TOKEN, None, COMMAND_LINE),
    ]


@pytest.fixture
def own_keys(team: ULID) -> list[tuple[ApiKey, Secret]]:
    return [keys.make(team, Rights(name), COMMAND_LINE) for name in ("Shop", "Warehouse")]


def samples(page: str) -> dict[str, str]:
    return {name: unescape(text) for name, text in SAMPLE.findall(page)}


def test_a_stranger_has_no_choice_and_sees_nobodys_bots(
    client: FlaskClient, own_bots: list[Bot], own_keys: list[tuple[ApiKey, Secret]]
) -> None:
    page = client.get("/docs/", query_string={"bot": own_bots[0].id, "key": own_keys[0][0].id}).text
    assert "<select" not in page
    assert "Kasir" not in page
    assert own_keys[0][0].last_four not in page
    assert str(own_bots[0].id) not in re.sub(r'name="next"[^>]*>', "", page)
    assert "01H..." in samples(page)["send-message"]


def test_without_a_choice_the_examples_have_places(
    signed_in: FlaskClient, own_bots: list[Bot], own_keys: list[tuple[ApiKey, Secret]]
) -> None:
    page = signed_in.get("/docs/").text
    for bot in own_bots:
        assert f'value="{bot.id}"' in page
    for key, _ in own_keys:
        assert f"{key.name} ({key.hint})" in page
    assert "01H..." in samples(page)["send-message"]
    assert "tgm_live_..." in samples(page)["send-message"]
    assert "export" not in samples(page)


def test_the_only_bot_and_the_only_key_need_no_choosing(signed_in: FlaskClient, team: ULID) -> None:
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    keys.make(team, Rights("Shop"), COMMAND_LINE)
    found = samples(signed_in.get("/docs/").text)
    assert str(bot.id) in found["send-message"]
    assert "$TGM_API_KEY" in found["send-message"]
    emptied = samples(signed_in.get("/docs/?bot=&key=").text)
    assert "01H..." in emptied["send-message"]
    assert "tgm_live_..." in emptied["send-message"]


def test_what_was_chosen_stays_chosen_and_is_in_every_example(
    signed_in: FlaskClient, own_bots: list[Bot], own_keys: list[tuple[ApiKey, Secret]]
) -> None:
    bot, (key, secret) = own_bots[1], own_keys[1]
    answer = signed_in.get("/docs/", query_string={"bot": str(bot.id), "key": str(key.id)})
    page = answer.text
    for value in (bot.id, key.id):
        assert f'<option selected value="{value}">' in page
    found = samples(page)
    for name in CALLS:
        assert f"/bots/{bot.id}/" in found[name]
        assert '"X-API-Key: $TGM_API_KEY"' in found[name]
    assert f"bot{bot.telegram_id}:${{TGM_API_KEY#tgm_live_}}/" in found["drop-in"]
    assert found["export"] == f"export TGM_API_KEY=tgm_live_...{key.last_four}"
    assert secret.value not in page
    assert key.digest not in page


def test_another_teams_bot_and_key_cannot_be_chosen(
    signed_in: FlaskClient, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Theirs", "tgm_theirs_bot")
    other = make_team("Others")
    bot = bots.add(other, OTHER_TOKEN, None, COMMAND_LINE)
    key, _ = keys.make(other, Rights("Foreign"), COMMAND_LINE)
    page = signed_in.get("/docs/", query_string={"bot": str(bot.id), "key": str(key.id)}).text
    assert "01H..." in samples(page)["send-message"]
    assert "Foreign" not in page
    assert "Theirs" not in page


@pytest.mark.parametrize("value", ["x", "01HZXK3V5QJ8Y3N6M2R7T4W9AB", "%00", "<script>"])
def test_nonsense_in_the_address_chooses_nothing(
    signed_in: FlaskClient, own_bots: list[Bot], value: str
) -> None:
    page = signed_in.get("/docs/", query_string={"bot": value, "key": value})
    assert page.status_code == 200
    assert "01H..." in samples(page.text)["send-message"]
    assert "<script>" not in page.text.partition("<main")[2]


def test_a_key_that_no_longer_works_is_not_offered(
    signed_in: FlaskClient, team: ULID, own_keys: list[tuple[ApiKey, Secret]]
) -> None:
    gone = own_keys[0][0]
    keys.revoke(team, gone.id, COMMAND_LINE)
    page = signed_in.get("/docs/", query_string={"key": str(gone.id)}).text
    assert f'value="{gone.id}"' not in page
    assert "export" not in samples(page)


def test_a_key_that_may_not_use_the_bot_says_so(
    signed_in: FlaskClient, team: ULID, own_bots: list[Bot]
) -> None:
    key, _ = keys.make(team, Rights("Only one", frozenset({own_bots[0].id})), COMMAND_LINE)
    for bot, said in ((own_bots[0], False), (own_bots[1], True)):
        page = signed_in.get("/docs/", query_string={"bot": str(bot.id), "key": str(key.id)}).text
        assert ("may not use this bot" in page) is said


def test_a_new_keys_page_leads_to_its_examples(signed_in: FlaskClient, own_bots: list[Bot]) -> None:
    made = submit(
        signed_in,
        "/dashboard/api-keys/new",
        name="Kasir",
        reach="all",
        methods="*",
        per_minute="",
        expires="never",
        expires_on="",
    ).text
    secret = re.findall(r'<code id="new-key"[^>]*>([^<]+)<', made)[0]
    (link,) = [unescape(each) for each in re.findall(r'href="(/docs/\?[^"]+)"', made)]
    assert secret not in link
    found = samples(signed_in.get(link.partition("#")[0]).text)
    assert found["export"].endswith(secret[-4:])


@pytest.mark.parametrize("language", ["en", "id"])
def test_once_the_key_is_in_the_shell_every_example_runs_as_it_is(
    signed_in: FlaskClient,
    served: Served,
    telegram: FakeTelegram,
    own_bots: list[Bot],
    own_keys: list[tuple[ApiKey, Secret]],
    tmp_path: Path,
    language: str,
) -> None:
    required("curl")
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "gambar.jpg").write_bytes(b"a picture")
    telegram.files["photos/file_0.jpg"] = b"another picture"
    key, secret = own_keys[0]
    query = f"?bot={own_bots[0].id}&key={key.id}"
    reader = Reader(served, language, folder)
    # The person's browser is not the one that asks the running server.
    page = signed_in.get(f"/docs/{query}", headers={"Accept-Language": language}).text
    found = {
        name: text.replace("http://localhost", served.url) for name, text in samples(page).items()
    }
    export = found["export"].replace(f"tgm_live_...{key.last_four}", secret.value)
    assert export == f"export TGM_API_KEY={secret.value}"
    for name in (*CALLS, "drop-in"):
        ran = reader.run(f"{export}\n{found[name]}")
        assert ran.status == 200, f"{name}: {ran.text}"
    assert (folder / "gambar.jpg").read_bytes() == b"another picture"
    methods = ("sendMessage", "sendPhoto", "editMessageText")
    assert [len(telegram.calls(method)) for method in methods] == [4, 1, 1]
    assert json.loads(telegram.calls("editMessageText")[0].body)["message_id"] == 42
