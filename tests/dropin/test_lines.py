"""The lines that the dashboard offers do what they say in the libraries themselves."""

import ast
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tgm.dropin.lines import LIBRARIES, VARIABLE, Lines, ready

BASE = "https://tgm.example.com"
TOKEN = "123456789:0123456789abcdefghijABCDEFGHIJ01"
NODE_MODULES = Path(__file__).parent / "libraries" / "node_modules"
PYTHON = [one.id for one in LIBRARIES if one.language == "Python"]
NODE = [one.id for one in LIBRARIES if one.language == "JavaScript"]
needs_node = pytest.mark.skipif(
    which("node") is None or not NODE_MODULES.is_dir(), reason="needs node and its libraries"
)


def lines(id: str, token: str | None = TOKEN, base: str = BASE) -> Lines:
    return next(one for one in ready(base, token) if one.id == id)


@pytest.fixture
def telebots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what the lines change in the library itself."""
    from telebot import apihelper, asyncio_helper

    for module in (apihelper, asyncio_helper):
        for name in ("API_URL", "FILE_URL"):
            monkeypatch.setattr(module, name, getattr(module, name))


def run(id: str, token: str | None = TOKEN) -> dict[str, Any]:
    """Run a library's lines, and return what they have made."""
    made: dict[str, Any] = {}
    exec(compile(lines(id, token).code, id, "exec"), made)  # noqa: S102 - the lines are our own
    return made


@pytest.mark.parametrize("token", [TOKEN, None])
def test_every_library_has_lines_of_its_own(token: str | None) -> None:
    found = ready(BASE, token)
    assert len({one.id for one in found}) == len({one.code for one in found}) == len(LIBRARIES)
    for one in found:
        assert BASE in one.code
        assert (TOKEN in one.code) is (token is not None)
        assert (VARIABLE in one.code) is (token is None)


@pytest.mark.parametrize("id", PYTHON)
@pytest.mark.parametrize("token", [TOKEN, None])
def test_pythons_lines_compile(id: str, token: str | None) -> None:
    ast.parse(lines(id, token).code)


@pytest.mark.parametrize("id", PYTHON)
def test_an_address_with_quotes_in_it_stays_one_text(id: str) -> None:
    base = 'https://a"); import os; os.abort("'
    nodes = ast.walk(ast.parse(lines(id, base=base).code))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    assert any(str(text).startswith(base) for text in texts)


@pytest.mark.parametrize("token", [TOKEN, None])
def test_python_telegram_bot_calls_tgm(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    bot = run("python-telegram-bot", token)["application"].bot
    assert bot.base_url == f"{BASE}/bot{TOKEN}"
    assert bot.base_file_url == f"{BASE}/file/bot{TOKEN}"


@pytest.mark.parametrize("token", [TOKEN, None])
def test_aiogram_calls_tgm(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    bot = run("aiogram", token)["bot"]
    assert bot.session.api.api_url(bot.token, "getMe") == f"{BASE}/bot{TOKEN}/getMe"
    assert bot.session.api.file_url(bot.token, "a/b") == f"{BASE}/file/bot{TOKEN}/a/b"


@pytest.mark.parametrize(
    ("id", "module"), [("telebot", "apihelper"), ("telebot-async", "asyncio_helper")]
)
@pytest.mark.parametrize("token", [TOKEN, None])
def test_telebot_calls_tgm(
    id: str, module: str, token: str | None, telebots: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    made = run(id, token)
    assert made["bot"].token == TOKEN
    assert made[module].API_URL.format(TOKEN, "getMe") == f"{BASE}/bot{TOKEN}/getMe"
    assert made[module].FILE_URL.format(TOKEN, "a/b") == f"{BASE}/file/bot{TOKEN}/a/b"


@needs_node
@pytest.mark.parametrize("id", NODE)
@pytest.mark.parametrize("token", [TOKEN, None])
def test_javascripts_lines_make_a_bot(id: str, token: str | None, tmp_path: Path) -> None:
    # It would poll at once, which is not the matter here.
    code = lines(id, token).code.replace(", polling: true", "")
    if id == "node-telegram-bot-api-0":
        code = code.replace('"node-telegram-bot-api"', '"node-telegram-bot-api-0"')
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    program = tmp_path / "lines.mjs"
    program.write_text(f"{code}\nconsole.log(typeof bot);\n")
    done = subprocess.run(
        [str(which("node")), program.name],
        cwd=tmp_path,
        env={"PATH": "", VARIABLE: TOKEN},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "object\n"), done.stderr
