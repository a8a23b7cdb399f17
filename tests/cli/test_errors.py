"""What goes wrong on the command line is one plain line, and tells no secret."""

from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Run
from tests.fakes.telegram import TOKEN, FakeTelegram, refusal, reply

SECRET = TOKEN.partition(":")[2]


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
