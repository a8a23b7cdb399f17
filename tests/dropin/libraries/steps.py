"""What every program is given, and how it tells how far it is. `steps.mjs` says the same."""

import json
import os
import sys
from pathlib import Path
from typing import Any

URL = os.environ["TELEGRAM_URL"]
TOKEN = os.environ["TELEGRAM_TOKEN"]
FOLDER = Path(os.environ["FOLDER"])
PORT = int(os.environ["HOOK_PORT"])
HOOK = f"http://127.0.0.1:{PORT}/hook"
SECRET = "A-secret_token-1"

PHOTO, DOCUMENT = FOLDER / "photo.jpg", FOLDER / "report.pdf"
FILE_ID = "documents/file_1.bin"
# Telegram takes one message a second to a chat, so every step writes to one of its own.
TEXT_CHAT, PHOTO_CHAT, DOCUMENT_CHAT, GROUP_CHAT = 501, 502, 503, 504
TEXT = 'Halo 👋 <é> & "ü"'
EDITED = "Sudah diubah ✅"
CAPTION = "Foto pertama 📷"
YES, NO = "Ya ✔", "Tidak"
PRESSED = "Terima kasih 🙏"


def answer_to(text: str | None) -> str:
    """Return what the program says to a message."""
    return f"Anda menulis: {text}"


def say(**words: Any) -> None:
    """Tell the test something, on a line of its own."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def reached(stage: str) -> None:
    """Say that updates may come, and wait until they have been dealt with."""
    say(stage=stage)
    assert sys.stdin.readline(), "the test has gone"
