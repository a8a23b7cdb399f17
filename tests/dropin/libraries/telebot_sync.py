"""pyTelegramBotAPI, with threads."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import telebot
from telebot import apihelper
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

apihelper.API_URL = f"{steps.URL}/bot{{0}}/{{1}}"
apihelper.FILE_URL = f"{steps.URL}/file/bot{{0}}/{{1}}"
seen: dict[str, Any] = {"updates": []}
bot = telebot.TeleBot(steps.TOKEN)


@bot.message_handler()
def on_message(message: Message) -> None:
    seen["updates"].append(message.text)
    bot.send_message(message.chat.id, steps.answer_to(message.text))


@bot.callback_query_handler(lambda query: True)
def on_press(query: CallbackQuery) -> None:
    seen["updates"].append(query.data)
    bot.answer_callback_query(query.id, steps.PRESSED)


class Hook(BaseHTTPRequestHandler):
    """The server of the library's examples."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_telegram = self.headers["X-Telegram-Bot-Api-Secret-Token"] == steps.SECRET
        self.send_response(200 if is_telegram else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if is_telegram:
            bot.process_new_updates([Update.de_json(body.decode())])

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def main() -> None:
    seen["me"] = bot.get_me().username
    keyboard = InlineKeyboardMarkup()
    keyboard.add(
        InlineKeyboardButton(steps.YES, callback_data="ya"),
        InlineKeyboardButton(steps.NO, callback_data="tidak"),
    )
    message = bot.send_message(steps.TEXT_CHAT, steps.TEXT, reply_markup=keyboard)
    with steps.PHOTO.open("rb") as file:
        bot.send_photo(steps.PHOTO_CHAT, file, caption=steps.CAPTION)
    bot.send_document(steps.DOCUMENT_CHAT, InputFile(steps.DOCUMENT))
    media = [
        InputMediaPhoto(InputFile(steps.PHOTO), caption=steps.CAPTION),
        InputMediaPhoto(InputFile(steps.PHOTO)),
    ]
    seen["group"] = len(bot.send_media_group(steps.GROUP_CHAT, media))
    bot.edit_message_text(steps.EDITED, steps.TEXT_CHAT, message.message_id)
    seen["answered"] = bot.answer_callback_query("77", steps.PRESSED)
    seen["file"] = bot.download_file(bot.get_file(steps.FILE_ID).file_path).hex()[-64:]

    server = HTTPServer(("127.0.0.1", steps.PORT), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bot.set_webhook(steps.HOOK, secret_token=steps.SECRET)
    reached("webhook")
    server.shutdown()
    server.server_close()
    bot.remove_webhook()

    # Its thread waits for the poll that is under way; nothing is lost by not waiting with it.
    threading.Thread(target=bot.infinity_polling, daemon=True).start()
    reached("polling")
    bot.stop_polling()
    say(seen=seen)


main()
