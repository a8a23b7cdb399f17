"""A browser and its system in words, from what it calls itself. For a person's eyes only: anybody
may send any text, so nothing is decided by it.
"""

import re
from dataclasses import dataclass

# The first that is found counts: most browsers name several others as well.
_BROWSERS = (
    (r"\bEdgA?(?:iOS)?/", "Edge"),
    (r"\b(?:OPR|OPiOS|Opera)/", "Opera"),
    (r"\bSamsungBrowser/", "Samsung Internet"),
    (r"\bVivaldi/", "Vivaldi"),
    (r"\bYaBrowser/", "Yandex"),
    (r"\b(?:Firefox|FxiOS)/", "Firefox"),
    (r"\b(?:HeadlessChrome|Chrome|CriOS|Chromium)/", "Chrome"),
    (r"\bVersion/[\d.]+.*\bSafari/", "Safari"),
    (r"^curl/", "curl"),
)
_SYSTEMS = (
    (r"\biPhone\b", "iPhone"),
    (r"\biPad\b", "iPad"),
    (r"\bAndroid\b", "Android"),
    (r"\bCrOS\b", "ChromeOS"),
    (r"\bWindows\b", "Windows"),
    (r"\bMacintosh\b|\bMac OS X\b", "macOS"),
    (r"\bLinux\b|\bX11\b", "Linux"),
)


@dataclass(frozen=True)
class Agent:
    """A browser and its system by name, each None where the text does not tell."""

    browser: str | None
    system: str | None


def read(text: str) -> Agent:
    """Return what the text of a User-Agent header seems to say."""
    return Agent(_first(_BROWSERS, text), _first(_SYSTEMS, text))


def _first(table: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for pattern, name in table if re.search(pattern, text)), None)
