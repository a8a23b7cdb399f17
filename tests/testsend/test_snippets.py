"""What is shown as the same call makes the same call: each snippet is run."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.telegram import FakeTelegram, Recorded, reply
from tgm.testsend import snippets

KEY = "tgm_" + "k" * 40
NODE = shutil.which("node")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
PARAMETERS = st.dictionaries(TEXTS, VALUES, max_size=5)
AWKWARD: dict[str, Any] = {
    "chat_id": -1001234567890123,
    "text": 'It\'s "said": $HOME `id` \\n\n<b>é✓\u2028</b> %s {x} !!',
    "silent": True,
    "nothing": None,
    "large": 2**63,
    "reply_markup": {"inline_keyboard": [[{"text": "Ya", "callback_data": "order:1"}]]},
}
WITH_FILE = {"chat_id": -100123, "caption": 'It\'s "said" $HOME ✓', "silent": True}


@given(parameters=PARAMETERS)
def test_curl_sends_the_same_body_by_the_shells_own_reading(parameters: dict[str, Any]) -> None:
    words = shlex.split(snippets.curl("https://tgm.example.com/x", parameters, {}))
    assert words[:4] == ["curl", "-X", "POST", "https://tgm.example.com/x"]
    assert json.loads(words[words.index("--data-raw") + 1]) == parameters


@given(parameters=PARAMETERS, names=st.dictionaries(TEXTS, TEXTS, max_size=2))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_python_compiles_and_holds_the_same_body(
    parameters: dict[str, Any], names: dict[str, str]
) -> None:
    text = snippets.python("https://tgm.example.com/x", parameters, names)
    compile(text, "snippet", "exec")
    if not names:
        scope: dict[str, Any] = {}
        body = text[text.index("body = ") : text.index("\n\nanswer = ")]
        exec(body, scope)  # noqa: S102 - it is what is tested
        assert scope["body"] == parameters


def run(command: list[str], folder: Path, telegram: FakeTelegram) -> Recorded:
    telegram.requests.clear()
    telegram.always("", reply({"ok": True, "result": True}))
    environ = {**os.environ, "TGM_API_KEY": KEY}
    environ.pop("COV_CORE_SOURCE", None)
    ended = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    [recorded] = telegram.requests
    assert recorded.header("X-API-Key") == KEY
    return recorded


def commands(
    url: str, parameters: dict[str, Any], files: dict[str, str], folder: Path
) -> dict[str, list[str]]:
    (folder / "call.py").write_text(snippets.python(url, parameters, files))
    (folder / "call.mjs").write_text(snippets.node(url, parameters, files))
    return {
        "curl": ["sh", "-c", snippets.curl(url, parameters, files)],
        "python": [sys.executable, "call.py"],
        "node": [NODE or "node", "call.mjs"],
    }


def needs(program: str) -> None:
    if shutil.which({"python": sys.executable}.get(program, program)) is None:
        pytest.skip(f"there is no {program}")


@pytest.mark.parametrize("program", ["curl", "python", "node"])
def test_each_program_sends_the_same_json(
    program: str, telegram: FakeTelegram, tmp_path: Path
) -> None:
    needs(program)
    url = f"{telegram.url}/api/v1/bots/x/sendMessage"
    recorded = run(commands(url, AWKWARD, {}, tmp_path)[program], tmp_path, telegram)
    assert recorded.verb == "POST"
    assert recorded.target == "/api/v1/bots/x/sendMessage"
    assert str(recorded.header("Content-Type")).startswith("application/json")
    assert json.loads(recorded.body) == AWKWARD


@pytest.mark.parametrize("program", ["curl", "python", "node"])
@pytest.mark.parametrize("name", ["struk.png", "a;b, 'c' é.png"])
def test_each_program_sends_the_same_file(
    program: str, name: str, telegram: FakeTelegram, tmp_path: Path
) -> None:
    needs(program)
    picture = bytes(range(256)) * 10
    (tmp_path / name).write_bytes(picture)
    url = f"{telegram.url}/api/v1/bots/x/sendPhoto"
    command = commands(url, WITH_FILE, {"photo": name}, tmp_path)[program]
    sent = form(run(command, tmp_path, telegram))
    assert sent.pop("photo") == picture
    assert {key: value.decode() for key, value in sent.items()} == {
        "chat_id": "-100123",
        "caption": WITH_FILE["caption"],
        "silent": "true",
    }


def form(recorded: Recorded) -> dict[str, bytes]:
    """Read a multipart body, chunked or not."""
    body = recorded.body
    if "chunked" in str(recorded.header("Transfer-Encoding")):
        body = unchunked(body)
    head = f"Content-Type: {recorded.header('Content-Type')}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    parts: dict[str, bytes] = {}
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        parts[str(name)] = payload
    return parts


def unchunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        found += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return found
