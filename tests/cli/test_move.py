"""Moving a bot to another Bot API server on the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fakes.process import process
from tests.fakes.telegram import TOKEN, FakeTelegram, Recorded, Reply, refusal, reply

AT = "@tgm_test_bot"


@pytest.fixture
def new() -> Iterator[FakeTelegram]:
    with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def bot(run: Run, set_up: None) -> str:
    """A bot's id."""
    return str(run("bot", "add", "--token-stdin", "--json", stdin=TOKEN).json["id"])


def once(first: Reply, then: FakeTelegram) -> object:
    """Answer the first call so, and the others as Telegram does."""
    answers = iter([first])
    usual = reply({"ok": True, "result": then.bots[TOKEN]})

    def answer(_recorded: Recorded) -> Reply:
        return next(answers, usual)

    return answer


def test_a_bot_moves(run: Run, bot: str, telegram: FakeTelegram, new: FakeTelegram) -> None:
    moved = run("bot", "move", bot, "--to", new.url, "--json").json
    assert moved["server"] == new.url
    assert telegram.calls("logOut")
    assert new.calls("getMe")
    (row,) = run("bot", "list", "--json").json["bots"]
    assert row["server"] == new.url


def test_it_may_be_named_by_its_username(run: Run, bot: str, new: FakeTelegram) -> None:
    assert run("bot", "move", AT, "--to", new.url).out.endswith(f"is at {new.url}.\n")


def test_it_waits_as_long_as_telegram_asks(run: Run, bot: str, new: FakeTelegram) -> None:
    asked = refusal(429, "Too Many Requests: retry after 1", retry_after=1)
    new.always("getMe", once(asked, new))  # type: ignore[arg-type]
    outcome = run("bot", "move", bot, "--to", new.url)
    assert outcome.code == 0
    assert "retry after 1" in outcome.err
    assert outcome.err.endswith("Waiting …\n")
    assert len(new.calls("getMe")) == 2


def test_without_waiting_it_says_how_to_go_on(run: Run, bot: str, new: FakeTelegram) -> None:
    new.always("getMe", refusal(400, "Logged out"))
    said = run("bot", "move", bot, "--to", new.url, "--no-wait").error
    assert f"is not at {new.url} yet" in said
    assert said.endswith("Run the same command again to go on.")
    new.always("getMe", reply({"ok": True, "result": new.bots[TOKEN]}))
    assert run("bot", "move", bot, "--to", new.url, "--no-wait").code == 0


def test_what_cannot_be_waited_for_is_told(run: Run, bot: str, new: FakeTelegram) -> None:
    new.always("getMe", refusal(401, "Unauthorized"))
    said = run("bot", "move", bot, "--to", new.url).error
    assert "Unauthorized" in said
    assert "--back" in said
    assert run("bot", "move", bot, "--back").code == 0
    assert run("bot", "list", "--json").json["bots"][0]["server"] != new.url


def test_a_dead_server_can_be_left_behind(
    run: Run, bot: str, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    telegram.always("deleteWebhook", reply(b"<html>", 502))
    assert "still at" in run("bot", "move", bot, "--to", new.url).error
    assert run("bot", "move", bot, "--leave-behind").code == 0


@pytest.mark.parametrize(
    "options", [(), ("--to", "http://host", "--back"), ("--back", "--leave-behind")]
)
def test_one_thing_at_a_time(run: Run, bot: str, options: tuple[str, ...]) -> None:
    assert run("bot", "move", bot, *options).error


def test_an_address_that_is_none_is_refused(run: Run, bot: str, telegram: FakeTelegram) -> None:
    assert "http://" in run("bot", "move", bot, "--to", "somewhere").error
    assert not telegram.calls("logOut")


def test_a_serving_tgm_goes_on_by_itself(
    run: Run, bot: str, given: dict[str, str], new: FakeTelegram, tmp_path: Path
) -> None:
    asked = refusal(429, "Too Many Requests: retry after 1", retry_after=1)
    new.always("getMe", once(asked, new))  # type: ignore[arg-type]
    assert run("bot", "move", bot, "--to", new.url, "--no-wait").code == 1
    with process({**given, "PORT": "0"}, tmp_path / "log") as serving:
        new.wait_for(2, timeout=30)
        # It ends what is under way first.
        serving.end()
    (row,) = run("bot", "list", "--json").json["bots"]
    assert row["server"] == new.url
