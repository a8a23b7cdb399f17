"""aiogram."""

import asyncio
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import (
    CallbackQuery,
    FSInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    Message,
)
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

from tests.dropin.libraries import steps
from tests.dropin.libraries.steps import reached, say

seen: dict[str, Any] = {"updates": []}
dispatcher = Dispatcher()


@dispatcher.message()
async def on_message(message: Message) -> None:
    seen["updates"].append(message.text)
    await message.answer(steps.answer_to(message.text))


@dispatcher.callback_query()
async def on_press(query: CallbackQuery) -> None:
    seen["updates"].append(query.data)
    await query.answer(steps.PRESSED)


async def call(bot: Bot) -> None:
    seen["me"] = (await bot.get_me()).username
    keyboard = InlineKeyboardMarkup(
        inline_keyboard=[
            [
                InlineKeyboardButton(text=steps.YES, callback_data="ya"),
                InlineKeyboardButton(text=steps.NO, callback_data="tidak"),
            ]
        ]
    )
    message = await bot.send_message(steps.TEXT_CHAT, steps.TEXT, reply_markup=keyboard)
    await bot.send_photo(steps.PHOTO_CHAT, FSInputFile(steps.PHOTO), caption=steps.CAPTION)
    await bot.send_document(steps.DOCUMENT_CHAT, FSInputFile(steps.DOCUMENT))
    sent = await bot.send_media_group(
        steps.GROUP_CHAT,
        [
            InputMediaPhoto(media=FSInputFile(steps.PHOTO), caption=steps.CAPTION),
            InputMediaPhoto(media=FSInputFile(steps.PHOTO)),
        ],
    )
    seen["group"] = len(sent)
    await bot.edit_message_text(
        steps.EDITED, chat_id=steps.TEXT_CHAT, message_id=message.message_id
    )
    seen["answered"] = await bot.answer_callback_query("77", text=steps.PRESSED)
    found = await bot.get_file(steps.FILE_ID)
    assert found.file_path
    content = await bot.download_file(found.file_path)
    assert content
    seen["file"] = content.read().hex()[-64:]


async def serve(bot: Bot) -> None:
    application = web.Application()
    handler = SimpleRequestHandler(dispatcher, bot, secret_token=steps.SECRET)
    handler.register(application, path="/hook")
    setup_application(application, dispatcher, bot=bot)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", steps.PORT).start()
    await bot.set_webhook(steps.HOOK, secret_token=steps.SECRET)
    await asyncio.to_thread(reached, "webhook")
    await runner.cleanup()
    await bot.delete_webhook()


def new_bot() -> Bot:
    return Bot(steps.TOKEN, AiohttpSession(api=TelegramAPIServer.from_base(steps.URL)))


async def main() -> None:
    bot = new_bot()
    await call(bot)
    # It closes the bot's session at its end.
    await serve(bot)
    # It ends only after the poll that is under way, so let that be a short one.
    polling = asyncio.create_task(
        dispatcher.start_polling(new_bot(), handle_signals=False, polling_timeout=2)
    )
    await asyncio.to_thread(reached, "polling")
    await dispatcher.stop_polling()
    await polling
    say(seen=seen)


asyncio.run(main())
