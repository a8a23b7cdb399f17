"""The header that tells TGM's own answers from Telegram's, at every address of the API."""

SOURCE = "X-TGM-Source"
TELEGRAM = "telegram"
GATEWAY = "gateway"

# Where programs call, by the start of the path: they get errors in Telegram's shape, not pages.
FOR_PROGRAMS = ("/api/", "/bot", "/file/bot")
