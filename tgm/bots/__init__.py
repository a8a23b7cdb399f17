"""Bots and their sealed tokens."""
