"""pyTelegramBotAPI, with asyncio."""

import asyncio
from typing import Any

from aiohttp import web
from telebot import asyncio_helper
from telebot.async_telebot import AsyncTeleBot
from telebot.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaPhoto,
    Message,
    Update,
)

from tests.dropin.libraries import steps
from tests.dropin.libraries.steps import reached, say

asyncio_helper.API_URL = f"{steps.URL}/bot{{0}}/{{1}}"
asyncio_helper.FILE_URL = f"{steps.URL}/file/bot{{0}}/{{1}}"
seen: dict[str, Any] = {"updates": []}
bot = AsyncTeleBot(steps.TOKEN)


@bot.message_handler()
async def on_message(message: Message) -> None:
    seen["updates"].append(message.text)
    await bot.send_message(message.chat.id, steps.answer_to(message.text))


@bot.callback_query_handler(lambda query: True)
async def on_press(query: CallbackQuery) -> None:
    seen["updates"].append(query.data)
    await bot.answer_callback_query(query.id, steps.PRESSED)


async def hook(request: web.Request) -> web.Response:
    if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != steps.SECRET:
        return web.Response(status=403)
    update = Update.de_json(await request.json())
    await bot.process_new_updates([update])
    return web.Response()


async def call() -> None:
    seen["me"] = (await bot.get_me()).username
    keyboard = InlineKeyboardMarkup()
    keyboard.add(
        InlineKeyboardButton(steps.YES, callback_data="ya"),
        InlineKeyboardButton(steps.NO, callback_data="tidak"),
    )
    message = await bot.send_message(steps.TEXT_CHAT, steps.TEXT, reply_markup=keyboard)
    with steps.PHOTO.open("rb") as file:
        await bot.send_photo(steps.PHOTO_CHAT, file, caption=steps.CAPTION)
    await bot.send_document(steps.DOCUMENT_CHAT, InputFile(steps.DOCUMENT))
    media = [
        InputMediaPhoto(InputFile(steps.PHOTO), caption=steps.CAPTION),
        InputMediaPhoto(InputFile(steps.PHOTO)),
    ]
    seen["group"] = len(await bot.send_media_group(steps.GROUP_CHAT, media))
    await bot.edit_message_text(steps.EDITED, steps.TEXT_CHAT, message.message_id)
    seen["answered"] = await bot.answer_callback_query("77", steps.PRESSED)
    found = await bot.get_file(steps.FILE_ID)
    seen["file"] = (await bot.download_file(found.file_path)).hex()[-64:]


async def main() -> None:
    await call()
    application = web.Application()
    application.router.add_post("/hook", hook)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", steps.PORT).start()
    await bot.set_webhook(steps.HOOK, secret_token=steps.SECRET)
    await asyncio.to_thread(reached, "webhook")
    await runner.cleanup()
    await bot.remove_webhook()

    polling = asyncio.create_task(bot.infinity_polling())
    await asyncio.to_thread(reached, "polling")
    # Left alone, it would wait for the poll that is under way.
    polling.cancel()
    await asyncio.wait([polling])
    await bot.close_session()
    say(seen=seen)


asyncio.run(main())
