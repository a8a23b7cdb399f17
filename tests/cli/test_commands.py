"""The command line does all that set-up needs, and tells no secret it was not asked for."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Outcome, Run
from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram, refusal, reply
from tests.making import make_team
from tgm import create_app, database
from tgm.settings import Settings
from tgm.shared.clock import utcnow
from tgm.shared.ids import parse_id

SECRET = TOKEN.partition(":")[2]
AddUser = Callable[..., Outcome]


@pytest.fixture
def second_team(set_up: None, given: dict[str, str]) -> str:
    """The name of a second team."""
    app = create_app(Settings.load(given, dotenv=None))
    with app.app_context():
        make_team("Warung")
    database.close(app)
    return "Warung"


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


def test_what_telegram_refuses_is_told_without_the_token(
    run: Run, set_up: None, telegram: FakeTelegram
) -> None:
    answers = {
        "does not know this token": refusal(401, "Unauthorized"),
        "could not be reached": reply(b"nonsense"),
        "Telegram answered: Flood": refusal(429, f"Flood of bot{TOKEN}", retry_after=5),
    }
    for sentence, answer in answers.items():
        telegram.replies(answer)
        error = run("bot", "add", "--token-stdin", "--json", stdin=TOKEN).error
        assert sentence in error
        assert SECRET not in error


def test_a_bot_is_added_once(run: Run, set_up: None) -> None:
    run("bot", "add", "--token-stdin", stdin=TOKEN)
    assert "already been added" in run("bot", "add", "--token-stdin", stdin=TOKEN).error


def test_no_list_tells_a_secret(run: Run, set_up: None) -> None:
    run("bot", "add", "--token-stdin", stdin=TOKEN)
    key = run("key", "add", "Kasir", "--json").json["key"]
    for what in ("bot", "key", "user"):
        for form in ((), ("--json",)):
            listed = run(what, "list", *form)
            assert listed.code == 0
            assert key not in listed.out
            assert SECRET not in listed.out
            assert PASSWORD not in listed.out


def test_a_secret_is_taken_from_standard_input_alone(run: Run, set_up: None) -> None:
    assert "--token-stdin" in run("bot", "add", stdin=TOKEN).error
    assert "--password-stdin" in run("user", "add", "b@example.com", "--role", "admin").error
    assert "--password-stdin" in run("user", "reset-password", "owner@example.com").error


@pytest.mark.parametrize(
    "args",
    [
        ("bot", "add", "--token-stdin", TOKEN),
        ("bot", "add", f"--token={TOKEN}"),
        ("bot", "add", TOKEN, "--json"),
        (TOKEN,),
        ("user", "add", "b@example.com", "--role", "admin", "--password-stdin", PASSWORD),
        ("user", "reset-password", "owner@example.com", "--password-stdin", PASSWORD),
        ("user", "reset-password", "owner@example.com", f"--password={PASSWORD}"),
    ],
)
def test_a_secret_given_as_an_argument_is_refused_and_not_repeated(
    run: Run, args: tuple[str, ...]
) -> None:
    error = run(*args, stdin=PASSWORD).error
    assert SECRET not in error
    assert PASSWORD not in error


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ((), "Missing command"),
        (("user",), "Missing command"),
        (("nothing",), "No such command 'nothing'"),
        (("key", "add"), "Missing argument 'NAME'"),
        (("key", "add", "Kasir", "--color", "red"), "No such option"),
        (("user", "add", "b@example.com", "--password-stdin"), "Missing option '--role'"),
        (("user", "add", "b@example.com", "--role", "boss"), "'boss' is not one of"),
        (("user", "add", "b@example.com", "--role", "owner", "--password-stdin"), "characters"),
    ],
)
def test_wrong_use_is_one_line_on_standard_error(
    run: Run, args: tuple[str, ...], sentence: str
) -> None:
    assert sentence in run(*args, stdin="short").error
    assert sentence in run(*args, "--json", stdin="short").error


def test_people_are_added_listed_and_removed(run: Run, add_user: AddUser, set_up: None) -> None:
    added = add_user("budi@example.com", "viewer").json
    rows = run("user", "list", "--json").json["users"]
    assert [(row["name"], row["email"], row["role"]) for row in rows] == [
        ("budi@example.com", "budi@example.com", "viewer"),
        ("owner@example.com", "owner@example.com", "owner"),
    ]
    assert rows[0]["id"] == added["id"]
    assert "budi@example.com" in run("user", "list").out
    assert run("user", "remove", "budi@example.com", "--json").json["email"] == "budi@example.com"
    assert len(run("user", "list", "--json").json["users"]) == 1
    assert "needs an owner" in run("user", "remove", "owner@example.com").error


def test_the_first_user_names_the_team_with_the_team_option(run: Run, add_user: AddUser) -> None:
    assert add_user("ani@example.com", "owner", "--team", "Toko").json["team"] == "Toko"


def test_a_password_is_reset_and_two_step_sign_in_turned_off(run: Run, set_up: None) -> None:
    reset = ("user", "reset-password", "owner@example.com", "--password-stdin", "--json")
    assert run(*reset, stdin="another good password").json["email"] == "owner@example.com"
    assert run("user", "disable-totp", "owner@example.com", "--json").code == 0
    for args in (("reset-password", "--password-stdin"), ("disable-totp",), ("remove",)):
        error = run("user", args[0], "nobody@example.com", *args[1:], stdin=PASSWORD).error
        assert "nobody@example.com" in error


@pytest.mark.parametrize(
    "args",
    [("bot", "add", "--token-stdin"), ("bot", "list"), ("key", "add", "Kasir"), ("key", "list")],
)
def test_with_several_teams_one_has_to_be_chosen(
    run: Run, second_team: str, args: tuple[str, ...]
) -> None:
    assert "--team" in run(*args, stdin=TOKEN).error
    assert run(*args, "--team", second_team, stdin=TOKEN).code == 0
    assert "There is no team" in run(*args, "--team", "Nobody", stdin=TOKEN).error


def test_a_team_sees_its_own_bots_and_keys_alone(
    run: Run, second_team: str, telegram: FakeTelegram
) -> None:
    telegram.add_bot(OTHER_TOKEN, "Other bot", "tgm_other_bot")
    run("bot", "add", "--token-stdin", "--team", "Team", stdin=TOKEN)
    other = run("bot", "add", "--token-stdin", "--team", second_team, "--json", stdin=OTHER_TOKEN)
    run("key", "add", "Kasir", "--team", "Team")
    for what, names in (("bot", ["Test bot"]), ("key", ["Kasir"])):
        rows = run(what, "list", "--team", "Team", "--json").json[f"{what}s"]
        assert [row["name"] for row in rows] == names
    denied = run("key", "add", "Kasir", "--bot", other.json["id"], "--team", "Team")
    assert denied.error == "There is no such bot."


def test_a_bad_setting_is_told_in_one_line(run: Run) -> None:
    assert run("key", "list", PORT="eighty").error.startswith("PORT: 'eighty'")
    key = "c2hvcnQ="
    assert key not in run("key", "list", "--json", ENCRYPTION_KEYS=key).error


def test_an_instance_that_cannot_be_written_is_told_in_one_line(run: Run, instance: Path) -> None:
    instance.write_text("a file where a folder should be")
    assert str(instance) in run("bot", "list").error


def test_a_broken_database_is_told_in_one_line(run: Run, instance: Path) -> None:
    instance.mkdir()
    (instance / "tgm.sqlite3").write_bytes(b"this is no database" * 100)
    assert "database" in run("bot", "list").error


def test_even_what_nobody_foresaw_is_one_line(run: Run, instance: Path) -> None:
    instance.mkdir()
    (instance / "encryption_keys").write_text("this is no key, but it may be a secret")
    assert "secret" not in run("bot", "list").error


def test_help_is_no_error(run: Run) -> None:
    outcome = run("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for command in ("serve", "user", "bot", "key", "rotate-keys", "--json"):
        assert command in outcome.out


def test_names_beyond_ascii_are_kept(run: Run, set_up: None) -> None:
    outcome = run("key", "add", "Kasir 👩‍💻", "--json")
    assert outcome.json["name"] == "Kasir 👩‍💻"
    assert json.loads(outcome.out.encode("ascii"))
