"""The header that tells TGM's own answers from Telegram's, at every address of the API."""

SOURCE = "X-TGM-Source"
TELEGRAM = "telegram"
GATEWAY = "gateway"
