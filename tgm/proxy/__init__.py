"""The proxy: a caller's request, byte for byte, to Telegram and back."""
