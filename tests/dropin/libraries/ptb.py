"""python-telegram-bot."""

import asyncio
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto, Update
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    ContextTypes,
    MessageHandler,
    filters,
)

from tests.dropin.libraries import steps
from tests.dropin.libraries.steps import reached, say

seen: dict[str, Any] = {"updates": []}


async def on_message(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message
    seen["updates"].append(update.message.text)
    await update.message.reply_text(steps.answer_to(update.message.text))


async def on_press(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.callback_query
    seen["updates"].append(update.callback_query.data)
    await update.callback_query.answer(text=steps.PRESSED)


def build() -> Application[Any, Any, Any, Any, Any, Any]:
    application = (
        ApplicationBuilder()
        .token(steps.TOKEN)
        .base_url(f"{steps.URL}/bot")
        .base_file_url(f"{steps.URL}/file/bot")
        .build()
    )
    application.add_handler(MessageHandler(filters.TEXT, on_message))
    application.add_handler(CallbackQueryHandler(on_press))
    return application


async def main() -> None:
    application = build()
    async with application:
        bot, updater = application.bot, application.updater
        assert updater
        seen["me"] = (await bot.get_me()).username
        keyboard = InlineKeyboardMarkup(
            [
                [
                    InlineKeyboardButton(steps.YES, callback_data="ya"),
                    InlineKeyboardButton(steps.NO, callback_data="tidak"),
                ]
            ]
        )
        message = await bot.send_message(steps.TEXT_CHAT, steps.TEXT, reply_markup=keyboard)
        await bot.send_photo(steps.PHOTO_CHAT, steps.PHOTO, caption=steps.CAPTION)
        with steps.DOCUMENT.open("rb") as file:
            await bot.send_document(steps.DOCUMENT_CHAT, file)
        media = [
            InputMediaPhoto(steps.PHOTO.read_bytes(), caption=steps.CAPTION, filename="1.jpg"),
            InputMediaPhoto(steps.PHOTO.read_bytes(), filename="2.jpg"),
        ]
        seen["group"] = len(await bot.send_media_group(steps.GROUP_CHAT, media))
        await bot.edit_message_text(
            steps.EDITED, chat_id=steps.TEXT_CHAT, message_id=message.message_id
        )
        seen["answered"] = await bot.answer_callback_query("77", text=steps.PRESSED)
        found = await bot.get_file(steps.FILE_ID)
        seen["file"] = (await found.download_as_bytearray()).hex()[-64:]

        await application.start()
        await updater.start_webhook(
            listen="127.0.0.1",
            port=steps.PORT,
            url_path="hook",
            webhook_url=steps.HOOK,
            secret_token=steps.SECRET,
        )
        await asyncio.to_thread(reached, "webhook")
        await updater.stop()
        await bot.delete_webhook()

        await updater.start_polling()
        await asyncio.to_thread(reached, "polling")
        await updater.stop()
        await application.stop()
    say(seen=seen)


asyncio.run(main())
