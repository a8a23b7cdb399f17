"""The command line does all that set-up needs, and tells no secret it was not asked for."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.cli.conftest import Outcome, Run
from tests.fakes.telegram import TOKEN, FakeTelegram
from tgm.shared.clock import utcnow
from tgm.shared.ids import parse_id

SECRET = TOKEN.partition(":")[2]
AddUser = Callable[..., Outcome]


def test_a_script_sets_everything_up(run: Run, add_user: AddUser) -> None:
    person = add_user("Ani@Example.com").json
    assert parse_id(person.pop("id"))
    assert person == {"email": "ani@example.com", "role": "owner", "team": "Team"}

    bot = run("bot", "add", "--token-stdin", "--json", stdin=TOKEN).json
    assert parse_id(bot["id"])
    facts = {key: bot[key] for key in ("telegram_id", "username", "name")}
    assert facts == {"telegram_id": 123456789, "username": "tgm_test_bot", "name": "Test bot"}

    key = run("key", "add", "Kasir", "--json").json
    assert sorted(key) == ["id", "key", "name"]
    assert re.fullmatch(r"tgm_live_[0-9A-Za-z]{32,}", key["key"])

    listed = run("key", "list", "--json").json["keys"]
    assert [(row["id"], row["name"], row["last_four"]) for row in listed] == [
        (key["id"], "Kasir", key["key"][-4:])
    ]
    assert [row["id"] for row in run("bot", "list", "--json").json["bots"]] == [bot["id"]]


@pytest.mark.parametrize(
    "args",
    [
        ("--json", "key", "add", "Kasir"),
        ("key", "--json", "add", "Kasir"),
        ("key", "add", "--json", "Kasir"),
        ("key", "add", "Kasir", "--json"),
    ],
)
def test_json_may_stand_anywhere(run: Run, set_up: None, args: tuple[str, ...]) -> None:
    assert run(*args).json["name"] == "Kasir"


def test_telegrams_pace_is_switched_on_and_off(run: Run, set_up: None) -> None:
    bot = run("bot", "add", "--token-stdin", "--json", stdin=TOKEN).json
    assert bot["keeps_pace"] is False
    assert run("bot", "pace", bot["id"], "on", "--json").json["keeps_pace"] is True
    assert (
        run("bot", "pace", "@tgm_test_bot", "off").out == "Test bot keeps Telegram's pace: off.\n"
    )
    assert run("bot", "list", "--json").json["bots"][0]["keeps_pace"] is False
    assert run("bot", "pace", bot["id"], "fast").code != 0


def test_without_json_the_key_stands_on_a_line_of_its_own(run: Run, set_up: None) -> None:
    outcome = run("key", "add", "Kasir")
    assert outcome.code == 0
    assert re.fullmatch(r"tgm_live_[0-9A-Za-z]{32,}", outcome.out.splitlines()[0])


@pytest.mark.parametrize(("what", "name"), [("bot", "bots"), ("key", "keys"), ("user", "users")])
def test_the_lists_of_an_empty_instance_are_empty(run: Run, what: str, name: str) -> None:
    assert run(what, "list", "--json").json == {name: []}
    assert run(what, "list").code == 0


def test_a_key_without_options_may_use_all_bots_and_methods(run: Run, set_up: None) -> None:
    run("key", "add", "Kasir")
    (row,) = run("key", "list", "--json").json["keys"]
    assert (row["all_bots"], row["bots"], row["methods"]) == (True, [], ["*"])
    assert (row["per_minute"], row["expires_at"], row["last_used_at"]) == (None, None, None)
    assert row["state"] == "active"


@pytest.mark.parametrize("by_name", [True, False])
def test_a_keys_options_narrow_it(run: Run, set_up: None, by_name: bool) -> None:
    bot = run("bot", "add", "--token-stdin", "--json", stdin=TOKEN).json
    chosen = f"@{bot['username']}" if by_name else bot["id"]
    made = run(
        "key", "add", "Kasir", "--bot", chosen, "--bot", bot["id"], "--methods", "send*",
        "--methods", "getMe", "--per-minute", "5", "--expires", "30", "--json",
    )  # fmt: skip
    assert made.code == 0
    (row,) = run("key", "list", "--json").json["keys"]
    assert (row["all_bots"], row["bots"]) == (False, [bot["id"]])
    assert (row["methods"], row["per_minute"]) == (["send*", "getMe"], 5)
    expires_at = datetime.fromisoformat(row["expires_at"])
    assert expires_at.utcoffset() == timedelta(0)
    assert abs(expires_at - utcnow() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--bot", "01HZXK3V5QJ8Y3N6M2R7T4W9AB"], "There is no such bot."),
        (["--bot", "@nobody"], "There is no such bot."),
        (["--methods", "send?"], "is no method pattern"),
        (["--per-minute", "0"], "The rate must be"),
        (["--per-minute", "many"], "'many' is not a valid integer"),
        (["--expires", "0"], "1 to 3650 days"),
        (["--expires", "-1"], "1 to 3650 days"),
        (["--expires", "99999999999999999999"], "1 to 3650 days"),
    ],
)
def test_a_wrong_option_makes_no_key(
    run: Run, set_up: None, options: list[str], sentence: str
) -> None:
    assert sentence in run("key", "add", "Kasir", *options, "--json").error
    assert run("key", "list", "--json").json == {"keys": []}


def test_a_key_is_revoked(run: Run, set_up: None) -> None:
    made = run("key", "add", "Kasir", "--json").json
    assert run("key", "revoke", made["id"], "--json").json == {
        "id": made["id"],
        "name": "Kasir",
        "state": "revoked",
    }
    assert run("key", "list", "--json").json["keys"][0]["state"] == "revoked"


@pytest.mark.parametrize("key_id", ["01HZXK3V5QJ8Y3N6M2R7T4W9AB", "1", ""])
def test_a_key_that_does_not_exist_cannot_be_revoked(run: Run, set_up: None, key_id: str) -> None:
    assert run("key", "revoke", key_id).error == "There is no such API key."


def test_a_bot_may_be_given_a_name(run: Run, set_up: None) -> None:
    added = run("bot", "add", "--token-stdin", "--name", "Kasir", "--json", stdin=f"{TOKEN}\n")
    assert added.json["name"] == "Kasir"


def test_a_bot_before_the_first_user_says_what_to_do(run: Run) -> None:
    assert "user add" in run("bot", "add", "--token-stdin", stdin=TOKEN).error
    assert "user add" in run("key", "add", "Kasir").error


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        ("", "Nothing came on standard input."),
        ("\n", "Nothing came on standard input."),
        (b"\xff\xfe", "no UTF-8 text"),
        (f"{TOKEN}\n{TOKEN}\n", "one line"),
        ("x" * 5000, "one line"),
        ("not a token", "This is no bot token."),
    ],
)
def test_a_token_that_cannot_be_one_is_refused(
    run: Run, set_up: None, telegram: FakeTelegram, stdin: str | bytes, sentence: str
) -> None:
    assert sentence in run("bot", "add", "--token-stdin", stdin=stdin).error
    assert telegram.requests == []


def test_a_bot_is_added_once(run: Run, set_up: None) -> None:
    run("bot", "add", "--token-stdin", stdin=TOKEN)
    assert "already been added" in run("bot", "add", "--token-stdin", stdin=TOKEN).error


def test_names_beyond_ascii_are_kept(run: Run, set_up: None) -> None:
    outcome = run("key", "add", "Kasir 👩‍💻", "--json")
    assert outcome.json["name"] == "Kasir 👩‍💻"
    assert json.loads(outcome.out.encode("ascii"))
