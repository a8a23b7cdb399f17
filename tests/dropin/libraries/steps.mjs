// What every program for Node is given, and how it tells how far it is. `steps.py` says the same.
import { createInterface } from "node:readline";
import { join } from "node:path";

const given = process.env;
export const url = given.TELEGRAM_URL;
export const token = given.TELEGRAM_TOKEN;
export const port = Number(given.HOOK_PORT);
export const hook = `http://127.0.0.1:${port}/hook`;
export const secret = "A-secret_token-1";

export const photo = join(given.FOLDER, "photo.jpg");
export const document = join(given.FOLDER, "report.pdf");
export const fileId = "documents/file_1.bin";
export const chats = { text: 501, photo: 502, document: 503, group: 504 };
export const text = 'Halo 👋 <é> & "ü"';
export const edited = "Sudah diubah ✅";
export const caption = "Foto pertama 📷";
export const pressed = "Terima kasih 🙏";
export const keyboard = {
  inline_keyboard: [
    [
      { text: "Ya ✔", callback_data: "ya" },
      { text: "Tidak", callback_data: "tidak" },
    ],
  ],
};

export const seen = { updates: [] };
export const answerTo = (words) => `Anda menulis: ${words}`;
export const end = (bytes) => Buffer.from(bytes).toString("hex").slice(-64);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export function say(words) {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

// Says that updates may come, and waits until they have been dealt with.
export async function reached(stage) {
  say({ stage });
  const { done } = await lines.next();
  if (done) throw new Error("the test has gone");
}

export function finish() {
  say({ seen });
  // A poll under way, or a connection that is kept, must not hold the program up.
  process.exit(0);
}
