"""TGM's version, where everything may ask for it without asking for the application."""

VERSION = "0.1.0"
