"""Connections that stay open without a thread, and what is written to them as things change."""
