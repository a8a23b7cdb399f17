"""Telegram's Bot API: the only place that knows its addresses. Neither Flask nor database."""
