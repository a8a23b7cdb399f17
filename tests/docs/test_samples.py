"""The curl commands on the page do what it says."""

import json
import re
import shlex
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.fakes.serving import Got, Served
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.making import make_team
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.keys import service as keys
from tgm.keys.rights import Rights

PICTURE = b"\xff\xd8\xff\xe0 a picture \r\n--\r\n" * 50
BOUNDARY = "------------------------d74496d66958873e"


@dataclass
class Curl:
    """A command as curl would understand it, with the few options that the page uses."""

    url: str = ""
    verb: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str | None = None
    form: list[tuple[str, str]] = field(default_factory=list)

    def body(self) -> bytes | None:
        """Return what curl would send."""
        if self.form:
            self.headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
            return b"".join(map(_part, self.form)) + f"--{BOUNDARY}--\r\n".encode()
        return None if self.data is None else self.data.encode()

    def run(self, served: Served) -> Got:
        """Send it."""
        parts = urlsplit(self.url)
        assert f"{parts.scheme}://{parts.netloc}" == served.url, "the host is not this one's"
        body = self.body()
        return served.call(self.verb or "GET", parts.path, body, self.headers)


def _part(field: tuple[str, str]) -> bytes:
    name, value = field
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    content = value.encode()
    if value.startswith("@"):
        head += f'; filename="{value.rpartition("/")[2]}"\r\nContent-Type: image/jpeg'
        content = PICTURE
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def parse(command: str) -> Curl:
    """Read a command line as a shell and curl would."""
    program, *words = shlex.split(command.replace("\\\n", " "))
    assert program == "curl"
    curl, rest = Curl(), iter(words)
    for word in rest:
        if word == "-X":
            curl.verb = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            curl.headers[name] = value
        elif word == "-d":
            curl.data = next(rest)
        elif word == "-F":
            name, _, value = next(rest).partition("=")
            curl.form.append((name, value))
        elif word == "-o":
            next(rest)
        else:
            assert not curl.url, f"what is {word}?"
            curl.url = word
    return curl


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the page, with a bot's id and a key of their own."""

    served: Served
    bot_id: str
    key: str
    language: str

    def sample(self, name: str) -> Curl:
        """Copy a command from the page, and put the id and the key in."""
        text = self.served.call("GET", "/docs/", headers={"Accept-Language": self.language})
        found = re.search(rf'<code id="sample-{name}">(.*?)</code>', text.body.decode(), re.DOTALL)
        assert found is not None
        command = unescape(found.group(1))
        assert command.count("01H...") == command.count("tgm_live_...") == 1
        return parse(command.replace("01H...", self.bot_id).replace("tgm_live_...", self.key))


@pytest.fixture(params=["en", "id"])
def reader(
    app: Flask, served: Served, telegram: FakeTelegram, request: pytest.FixtureRequest
) -> Reader:
    team = make_team("Toko")
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    _, key = keys.make(team, Rights("Program"), COMMAND_LINE)
    telegram.requests.clear()
    return Reader(served, str(bot.id), key.value, request.param)


def test_the_message_with_a_keyboard_is_sent(reader: Reader, telegram: FakeTelegram) -> None:
    got = reader.sample("send-message").run(reader.served)
    assert (got.status, got.json["ok"]) == (200, True)
    sent = json.loads(telegram.calls("sendMessage")[0].body)
    assert sent["chat_id"] == 123456789
    assert sent["text"] == "Halo dunia!"
    assert sent["reply_markup"]["inline_keyboard"] == [
        [
            {"text": "Buka", "url": "https://example.com"},
            {"text": "Aksi", "callback_data": "do_action"},
        ]
    ]


def test_the_photo_is_sent(reader: Reader, telegram: FakeTelegram) -> None:
    got = reader.sample("send-photo").run(reader.served)
    assert (got.status, got.json["ok"]) == (200, True)
    sent = telegram.calls("sendPhoto")[0]
    assert (sent.header("Content-Type") or "").startswith("multipart/form-data")
    assert PICTURE in sent.body
    assert b'name="chat_id"\r\n\r\n123456789' in sent.body
    assert b'name="caption"\r\n\r\nFoto liburan' in sent.body


def test_the_message_is_edited(reader: Reader, telegram: FakeTelegram) -> None:
    got = reader.sample("edit-message").run(reader.served)
    assert (got.status, got.json["ok"]) == (200, True)
    sent = json.loads(telegram.calls("editMessageText")[0].body)
    assert sent == {"chat_id": 123456789, "message_id": 42, "text": "Pesan terbaru"}


def test_the_file_is_downloaded(reader: Reader, telegram: FakeTelegram) -> None:
    telegram.files["photos/file_0.jpg"] = PICTURE
    got = reader.sample("file").run(reader.served)
    assert (got.status, got.body) == (200, PICTURE)


def test_the_named_call_acts_once(reader: Reader, telegram: FakeTelegram) -> None:
    command = reader.sample("idempotency")
    answers = [command.run(reader.served) for _ in range(2)]
    assert [got.status for got in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    assert len(telegram.calls("sendMessage")) == 1
