// node-telegram-bot-api since its redesign.
import { Bot, InlineKeyboardBuilder, MediaGroupBuilder } from "node-telegram-bot-api";
import { createWebhookServer, fromPath } from "node-telegram-bot-api/node";
import * as steps from "./steps.mjs";

const { chats, seen } = steps;

function newBot() {
  const bot = new Bot(steps.token, { apiRoot: steps.url });
  bot.on("message", async (ctx) => {
    seen.updates.push(ctx.message.text);
    await ctx.reply(steps.answerTo(ctx.message.text));
  });
  bot.on("callback_query", async (ctx) => {
    seen.updates.push(ctx.callbackQuery.data);
    await ctx.answerCallbackQuery({ text: steps.pressed });
  });
  return bot;
}

const bot = newBot();
const { api } = bot;
seen.me = (await api.getMe()).username;
const keyboard = new InlineKeyboardBuilder().text("Ya ✔", "ya").text("Tidak", "tidak").build();
const message = await api.sendMessage({
  chat_id: chats.text,
  text: steps.text,
  reply_markup: keyboard,
});
const photo = await fromPath(steps.photo);
await api.sendPhoto({ chat_id: chats.photo, photo, caption: steps.caption });
await api.sendDocument({ chat_id: chats.document, document: await fromPath(steps.document) });
const media = new MediaGroupBuilder()
  .photo({ media: await fromPath(steps.photo), caption: steps.caption })
  .photo({ media: await fromPath(steps.photo) })
  .build();
seen.group = (await api.sendMediaGroup({ chat_id: chats.group, media })).length;
await api.editMessageText({
  chat_id: chats.text,
  message_id: message.message_id,
  text: steps.edited,
});
seen.answered = await api.answerCallbackQuery({ callback_query_id: "77", text: steps.pressed });
const file = await api.getFile({ file_id: steps.fileId });
// It leaves downloads to the program.
const download = await fetch(`${steps.url}/file/bot${steps.token}/${file.file_path}`);
seen.file = steps.end(await download.arrayBuffer());

const server = createWebhookServer(bot, { path: "/hook", secretToken: steps.secret });
await new Promise((resolve) => server.listen(steps.port, "127.0.0.1", resolve));
await api.setWebhook({ url: steps.hook, secret_token: steps.secret });
await steps.reached("webhook");
server.close();
await api.deleteWebhook();

const polling = newBot();
const ended = polling.startPolling();
await steps.reached("polling");
polling.stop();
await ended;
steps.finish();
