"""Names that people give to bots and keys."""

from unicodedata import category

from tgm.security.redaction import redact
from tgm.shared.errors import N_, Invalid

LONGEST = 64
# Control characters and lone surrogates: no database and no terminal takes them well. Joiners,
# which emoji are made with, are neither.
_UNFIT = frozenset({"Cc", "Cs"})


def checked(text: str | None) -> str:
    """Return the name without the spaces around it. Raises Invalid for the field `name`."""
    name = (text or "").strip()
    if not name:
        raise Invalid(N_("Please give a name."), field="name")
    if len(name) > LONGEST:
        raise Invalid(N_("A name has at most 64 characters."), field="name")
    if fitted(name) != name:
        raise Invalid(N_("A name holds no control characters."), field="name")
    if redact(name) != name:
        raise Invalid(N_("This looks like a secret, not like a name."), field="name")
    return name


def fitted(text: str) -> str:
    """Return what of `text` can be a name: for names that others gave, which nobody can correct."""
    kept = "".join(character for character in text if category(character) not in _UNFIT)
    return kept.strip()[:LONGEST].strip()
