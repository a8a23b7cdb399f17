"""Method patterns: which Bot API methods a key may call. Pure rules, without regard to case."""

import re
from collections.abc import Sequence

from tgm.shared.errors import N_, Invalid

_FORM = re.compile(r"[A-Za-z*]{1,64}", re.ASCII)
_MOST_PATTERNS = 100
# As many as the column holds.
_MOST_CHARACTERS = 2000
# These would take the bot away from TGM, so no star reaches them.
LITERAL_ONLY = frozenset({"logout", "close"})


def parse(text: str) -> tuple[str, ...]:
    """Return the patterns in `text`, which are separated by spaces, commas or line ends.

    Repeats are dropped, whatever their case. No pattern at all means `*`. Raises Invalid.
    """
    found: dict[str, str] = {}
    for pattern in re.split(r"[\s,]+", text.strip()):
        if not pattern:
            continue
        if not _FORM.fullmatch(pattern):
            raise Invalid(
                N_(
                    "“%(pattern)s” is no method pattern: use letters and *, such as send* or getMe."
                ),
                field="methods",
                pattern=pattern[:64],
            )
        found.setdefault(pattern.lower(), pattern)
    if len(found) > _MOST_PATTERNS:
        raise Invalid(N_("At most 100 method patterns fit one key."), field="methods")
    if len(" ".join(found.values())) > _MOST_CHARACTERS:
        raise Invalid(N_("The method patterns are too long: use a *."), field="methods")
    return tuple(found.values()) or ("*",)


def allows(patterns: Sequence[str], method: str) -> bool:
    """Tell whether `method` matches one of `patterns`; some methods must be named literally."""
    name = method.lower()
    if name in LITERAL_ONLY:
        return any(pattern.lower() == name for pattern in patterns)
    return any(_matches(pattern.lower(), name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    first, *others = pattern.split("*")
    if not others:
        return pattern == name
    if not name.startswith(first):
        return False
    position = len(first)
    for part in others[:-1]:
        at = name.find(part, position)
        if at < 0:
            return False
        position = at + len(part)
    return name.endswith(others[-1]) and len(name) - len(others[-1]) >= position
