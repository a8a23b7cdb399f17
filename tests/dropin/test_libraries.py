"""The libraries that bots are written with, unmodified, against TGM as against Telegram itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from tests.dropin.conftest import Library
from tests.dropin.running import free_port, running
from tests.fakes.serving import Served
from tests.fakes.telegram import TOKEN, Recorded
from tests.fakes.updates import TelegramWithUpdates, parameters, whole_body
from tests.live.listening import wait_until
from tgm.bots.models import Bot

pytestmark = pytest.mark.given(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")

PROGRAMS = (
    "ptb",
    "with_aiogram",
    "telebot_sync",
    "telebot_async",
    "grammy",
    "telegraf",
    "ntba0",
    "ntba2",
)
FILE = "documents/file_1.bin"
# What TGM answers by itself, and asks Telegram for by itself.
RECEIVING = {"getupdates", "setwebhook", "deletewebhook", "getwebhookinfo"}
ANI = {"id": 600, "is_bot": False, "first_name": "Ani"}
PRESS = "4242"


@pytest.fixture
def telegram() -> Iterator[TelegramWithUpdates]:
    with TelegramWithUpdates() as fake:
        yield fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the programs send: more than one read of anybody's buffer."""
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 700)
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7\r\n--\r\n" + bytes(range(255, -1, -1)) * 1500)
    return tmp_path


class Sent(NamedTuple):
    """A request as it reached Telegram, without what a library draws by lot."""

    verb: str
    target: str
    content_type: str
    body: bytes


def neutral(recorded: Recorded) -> Sent:
    """Give the boundary and the names of attached files, which are drawn by lot, fixed names."""
    content_type = recorded.header("Content-Type") or ""
    body = whole_body(recorded)
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary:
        content_type = content_type.replace(boundary[1], "BOUNDARY")
        body = body.replace(boundary[1].encode(), b"BOUNDARY")
    path, mark, query = recorded.target.partition("?")
    attached = re.findall(rb"attach://([\w.-]+)", unquote(query).encode() + b" " + body)
    for number, name in enumerate(dict.fromkeys(attached)):
        body = body.replace(name, b"ATTACHED%d" % number)
        query = query.replace(name.decode(), f"ATTACHED{number}")
    if attached:
        # A library may read several files beside each other: the first that is there comes first.
        body = b"--BOUNDARY".join(sorted(body.split(b"--BOUNDARY")))
    return Sent(recorded.verb, unquote(path) + mark + query, content_type, body)


def message(text: str) -> dict[str, Any]:
    chat = {"id": 600, "type": "private", "first_name": "Ani"}
    return {"message_id": 9, "from": ANI, "chat": chat, "date": 1_700_000_000, "text": text}


def press(data: str) -> dict[str, Any]:
    pressed = {**message("Halo"), "from": {"id": 123456789, "is_bot": True, "first_name": "Bot"}}
    return {"id": PRESS, "from": ANI, "message": pressed, "chat_instance": "1", "data": data}


class Case:
    """A program that runs against `library`, with what comes in at `telegram`."""

    def __init__(self, telegram: TelegramWithUpdates, library: Library) -> None:
        self.telegram = telegram
        self.library = library
        telegram.files[FILE] = bytes(range(256)) * 1200

    def run(self, program: str, folder: Path) -> dict[str, Any]:
        """Let the program take its steps, and return what it has seen."""
        given = {
            "TELEGRAM_URL": self.library.served.url,
            "TELEGRAM_TOKEN": self.library.token,
            "FOLDER": str(folder),
            "HOOK_PORT": str(free_port()),
        }
        with running(program, given, folder / "log") as running_program:
            assert running_program.says() == {"stage": "webhook"}
            self._writes("lewat webhook")
            wait_until(self._is_delivered, "the webhook has got its update")
            running_program.go_on()
            assert running_program.says() == {"stage": "polling"}
            self._writes("lewat polling")
            self.telegram.arrive(TOKEN, callback_query=press("ya"))
            wait_until(self._is_press_answered, "the press is answered")
            running_program.go_on()
            seen: dict[str, Any] = running_program.says()["seen"]
            assert running_program.ends() == 0
        return seen

    def sent(self) -> list[Sent]:
        """Return what the program has sent to Telegram, in order."""
        own = [one for one in self.telegram.requests if one.method.lower() not in RECEIVING]
        return [neutral(one) for one in own]

    def _writes(self, text: str) -> None:
        self.telegram.arrive(TOKEN, message=message(text))
        wait_until(lambda: self._is_answered(text), f"the program answers: {text}")

    def _is_answered(self, text: str) -> bool:
        calls = self.telegram.calls("sendMessage")
        return any(parameters(one).get("text") == f"Anda menulis: {text}" for one in calls)

    def _is_delivered(self) -> bool:
        info = self.library.call("getWebhookInfo", None, verb="GET").json["result"]
        return bool(info["pending_update_count"] == 0)

    def _is_press_answered(self) -> bool:
        calls = self.telegram.calls("answerCallbackQuery")
        return any(str(parameters(one).get("callback_query_id")) == PRESS for one in calls)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_library_sees_telegram_and_telegram_sees_the_library(
    program: str,
    library: Library,
    telegram: TelegramWithUpdates,
    bot: Bot,
    relay: None,
    folder: Path,
) -> None:
    """What reaches Telegram is byte for byte what the library sends there by itself."""
    with TelegramWithUpdates() as alone:
        direct = Case(alone, Library(Served(alone.url), TOKEN))
        expected = direct.run(program, folder)
    through = Case(telegram, library)
    assert through.run(program, folder) == expected
    assert expected["updates"] == ["lewat webhook", "lewat polling", "ya"]
    assert (expected["me"], expected["group"], expected["answered"]) == ("tgm_test_bot", 2, True)
    assert expected.get("secret", True), "the webhook was called without its secret token"
    assert expected["file"] == telegram.files[FILE].hex()[-64:]
    assert [one.target for one in through.sent()] == [one.target for one in direct.sent()]
    for got, wanted in zip(through.sent(), direct.sent(), strict=True):
        assert got == wanted
