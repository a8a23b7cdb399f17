// grammY.
import { createServer } from "node:http";
import { Bot, InlineKeyboard, InputFile, InputMediaBuilder, webhookCallback } from "grammy";
import * as steps from "./steps.mjs";

const { chats, seen } = steps;

function newBot() {
  const bot = new Bot(steps.token, { client: { apiRoot: steps.url } });
  bot.on("message:text", async (ctx) => {
    seen.updates.push(ctx.msg.text);
    await ctx.reply(steps.answerTo(ctx.msg.text));
  });
  bot.on("callback_query:data", async (ctx) => {
    seen.updates.push(ctx.callbackQuery.data);
    await ctx.answerCallbackQuery({ text: steps.pressed });
  });
  return bot;
}

const bot = newBot();
const { api } = bot;
seen.me = (await api.getMe()).username;
const keyboard = new InlineKeyboard().text("Ya ✔", "ya").text("Tidak", "tidak");
const message = await api.sendMessage(chats.text, steps.text, { reply_markup: keyboard });
await api.sendPhoto(chats.photo, new InputFile(steps.photo), { caption: steps.caption });
await api.sendDocument(chats.document, new InputFile(steps.document));
const group = await api.sendMediaGroup(chats.group, [
  InputMediaBuilder.photo(new InputFile(steps.photo), { caption: steps.caption }),
  InputMediaBuilder.photo(new InputFile(steps.photo)),
]);
seen.group = group.length;
await api.editMessageText(chats.text, message.message_id, steps.edited);
seen.answered = await api.answerCallbackQuery("77", { text: steps.pressed });
const file = await api.getFile(steps.fileId);
// grammY leaves downloads to the program: https://grammy.dev/guide/files
const download = await fetch(`${steps.url}/file/bot${steps.token}/${file.file_path}`);
seen.file = steps.end(await download.arrayBuffer());

const server = createServer(webhookCallback(bot, "http", { secretToken: steps.secret }));
await new Promise((resolve) => server.listen(steps.port, "127.0.0.1", resolve));
await api.setWebhook(steps.hook, { secret_token: steps.secret });
await steps.reached("webhook");
server.close();
await api.deleteWebhook();

const polling = newBot();
const ended = polling.start();
await steps.reached("polling");
await polling.stop();
await ended;
steps.finish();
