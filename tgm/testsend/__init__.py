"""Calling a method by hand, from a browser."""
