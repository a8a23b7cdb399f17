"""Standing where Telegram stands: libraries reach TGM by changing their host and their token."""
