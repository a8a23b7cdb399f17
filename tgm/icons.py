"""The sprite of icons: Bootstrap's, without those that no screen shows.

The package's own holds over two thousand in a megabyte, and every first visit would load it.
"""

import re
from pathlib import Path

from tgm.settings import PROJECT

_SYMBOL = re.compile(r'<symbol\b[^>]*\sid="([^"]+)".*?</symbol>', re.DOTALL)
_WORD = re.compile(r"""["']([a-z0-9-]+)["']""")


def sprite(whole: Path) -> bytes:
    """Return the icons of `whole` whose names stand in quotes in a template or in the code.

    That takes in a few that merely share their name with another word: a few hundred bytes each.
    """
    head, _, symbols = whole.read_text().partition(">")
    words = _quoted(PROJECT / "templates", "*.html") | _quoted(PROJECT / "tgm", "*.py")
    kept = (found[0] for found in _SYMBOL.finditer(symbols) if found[1] in words)
    return f"{head}>{''.join(kept)}</svg>".encode()


def _quoted(folder: Path, pattern: str) -> set[str]:
    words: set[str] = set()
    for path in folder.rglob(pattern):
        words.update(_WORD.findall(path.read_text()))
    return words
