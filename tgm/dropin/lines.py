"""The lines by which a program written with some library calls TGM: its host and its token."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VARIABLE = "TELEGRAM_TOKEN"


@dataclass(frozen=True)
class Library:
    """A library, and its lines with `%(name)s` places: `token`, and the addresses as literals."""

    id: str
    name: str
    language: str
    template: str


@dataclass(frozen=True)
class Lines:
    """The ready lines for one library."""

    id: str
    name: str
    language: str
    code: str


LIBRARIES = (
    Library(
        "python-telegram-bot",
        "python-telegram-bot",
        "Python",
        """from telegram.ext import ApplicationBuilder

application = (
    ApplicationBuilder()
    .token(%(token)s)
    .base_url(%(methods)s)
    .base_file_url(%(files)s)
    .build()
)
""",
    ),
    Library(
        "aiogram",
        "aiogram 3",
        "Python",
        """from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

session = AiohttpSession(api=TelegramAPIServer.from_base(%(base)s))
bot = Bot(%(token)s, session=session)
""",
    ),
    Library(
        "telebot",
        "pyTelegramBotAPI",
        "Python",
        """import telebot
from telebot import apihelper

apihelper.API_URL = %(methods_form)s
apihelper.FILE_URL = %(files_form)s
bot = telebot.TeleBot(%(token)s)
""",
    ),
    Library(
        "telebot-async",
        "pyTelegramBotAPI (async)",
        "Python",
        """from telebot import asyncio_helper
from telebot.async_telebot import AsyncTeleBot

asyncio_helper.API_URL = %(methods_form)s
asyncio_helper.FILE_URL = %(files_form)s
bot = AsyncTeleBot(%(token)s)
""",
    ),
    Library(
        "grammy",
        "grammY",
        "JavaScript",
        """import { Bot } from "grammy";

const bot = new Bot(%(token)s, { client: { apiRoot: %(base)s } });
""",
    ),
    Library(
        "telegraf",
        "Telegraf",
        "JavaScript",
        """import { Telegraf } from "telegraf";

const bot = new Telegraf(%(token)s, { telegram: { apiRoot: %(base)s } });
""",
    ),
    Library(
        "node-telegram-bot-api-0",
        "node-telegram-bot-api 0",
        "JavaScript",
        """import TelegramBot from "node-telegram-bot-api";

const bot = new TelegramBot(%(token)s, { baseApiUrl: %(base)s, polling: true });
""",
    ),
    Library(
        "node-telegram-bot-api",
        "node-telegram-bot-api 2",
        "JavaScript",
        """import { Bot } from "node-telegram-bot-api";

const bot = new Bot(%(token)s, { apiRoot: %(base)s });
""",
    ),
)


def ready(base_url: str, token: str | None = None) -> Sequence[Lines]:
    """Return every library's lines for the TGM at `base_url`, which has no slash at its end.

    Without a `token` they take it from the environment's variable TELEGRAM_TOKEN.
    """
    places = _places(base_url)
    return [Lines(one.id, one.name, one.language, _code(one, places, token)) for one in LIBRARIES]


def _code(library: Library, places: Mapping[str, str], token: str | None) -> str:
    code = library.template
    if token is not None:
        return code % {**places, "token": json.dumps(token)}
    if library.language == "JavaScript":
        return code % {**places, "token": f"process.env.{VARIABLE}"}
    return "import os\n\n" + code % {**places, "token": f'os.environ["{VARIABLE}"]'}


def _places(base_url: str) -> Mapping[str, str]:
    # JSON's texts are literals in Python and JavaScript alike.
    return {
        "base": json.dumps(base_url),
        "methods": json.dumps(f"{base_url}/bot"),
        "files": json.dumps(f"{base_url}/file/bot"),
        "methods_form": json.dumps(f"{base_url}/bot{{0}}/{{1}}"),
        "files_form": json.dumps(f"{base_url}/file/bot{{0}}/{{1}}"),
    }
