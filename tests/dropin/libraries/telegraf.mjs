// Telegraf. In a webhook it answers a message in its answer to the request, as it does by itself.
import { createServer } from "node:http";
import { Markup, Telegraf } from "telegraf";
import { message as messageWith } from "telegraf/filters";
import * as steps from "./steps.mjs";

const { chats, seen } = steps;

function newBot() {
  const bot = new Telegraf(steps.token, { telegram: { apiRoot: steps.url } });
  bot.on(messageWith("text"), async (ctx) => {
    seen.updates.push(ctx.message.text);
    await ctx.reply(steps.answerTo(ctx.message.text));
  });
  bot.on("callback_query", async (ctx) => {
    seen.updates.push(ctx.callbackQuery.data);
    await ctx.answerCbQuery(steps.pressed);
  });
  return bot;
}

const bot = newBot();
const { telegram } = bot;
seen.me = (await telegram.getMe()).username;
const keyboard = Markup.inlineKeyboard([
  Markup.button.callback("Ya ✔", "ya"),
  Markup.button.callback("Tidak", "tidak"),
]);
const message = await telegram.sendMessage(chats.text, steps.text, keyboard);
await telegram.sendPhoto(chats.photo, { source: steps.photo }, { caption: steps.caption });
await telegram.sendDocument(chats.document, { source: steps.document });
const group = await telegram.sendMediaGroup(chats.group, [
  { type: "photo", media: { source: steps.photo }, caption: steps.caption },
  { type: "photo", media: { source: steps.photo } },
]);
seen.group = group.length;
await telegram.editMessageText(chats.text, message.message_id, undefined, steps.edited);
seen.answered = await telegram.answerCbQuery("77", steps.pressed);
const download = await fetch(await telegram.getFileLink(steps.fileId));
seen.file = steps.end(await download.arrayBuffer());

// Its own launch() and createWebhook() know https:// addresses only.
const server = createServer(bot.webhookCallback("/hook", { secretToken: steps.secret }));
await new Promise((resolve) => server.listen(steps.port, "127.0.0.1", resolve));
await telegram.setWebhook(steps.hook, { secret_token: steps.secret });
await steps.reached("webhook");
server.close();
await telegram.deleteWebhook();

const polling = newBot();
const ended = polling.launch();
await steps.reached("polling");
polling.stop();
await ended;
steps.finish();
