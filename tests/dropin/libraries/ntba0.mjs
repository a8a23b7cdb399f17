// node-telegram-bot-api, the last version before its redesign.
import { createReadStream } from "node:fs";
import TelegramBot from "node-telegram-bot-api-0";
import * as steps from "./steps.mjs";

const { chats, seen } = steps;

function newBot(options) {
  const bot = new TelegramBot(steps.token, { baseApiUrl: steps.url, ...options });
  bot.on("message", async (message) => {
    seen.updates.push(message.text);
    await bot.sendMessage(message.chat.id, steps.answerTo(message.text));
  });
  bot.on("callback_query", async (query) => {
    seen.updates.push(query.data);
    await bot.answerCallbackQuery(query.id, { text: steps.pressed });
  });
  return bot;
}

const bot = newBot();
seen.me = (await bot.getMe()).username;
const message = await bot.sendMessage(chats.text, steps.text, { reply_markup: steps.keyboard });
await bot.sendPhoto(chats.photo, createReadStream(steps.photo), { caption: steps.caption });
await bot.sendDocument(chats.document, steps.document);
const group = await bot.sendMediaGroup(chats.group, [
  { type: "photo", media: steps.photo, caption: steps.caption },
  { type: "photo", media: createReadStream(steps.photo) },
]);
seen.group = group.length;
const edited = { chat_id: chats.text, message_id: message.message_id };
await bot.editMessageText(steps.edited, edited);
seen.answered = await bot.answerCallbackQuery("77", { text: steps.pressed });
const download = await fetch(await bot.getFileLink(steps.fileId));
seen.file = steps.end(await download.arrayBuffer());

// Its own server knows its caller by the bot's token in the address, and not by the secret token.
const options = { port: steps.port, host: "127.0.0.1", autoOpen: false };
const hooked = newBot({ webHook: options });
await hooked.openWebHook();
hooked._webHook._webServer.on("request", (request) => {
  seen.secret = request.headers["x-telegram-bot-api-secret-token"] === steps.secret;
});
await hooked.setWebHook(`${steps.hook}/bot${steps.token}`, { secret_token: steps.secret });
await steps.reached("webhook");
await hooked.deleteWebHook();
await hooked.closeWebHook();

const polling = newBot({ polling: true });
await steps.reached("polling");
await polling.stopPolling({ cancel: true });
steps.finish();
