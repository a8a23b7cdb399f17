"""Every text is there in Indonesian as well."""

import io

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tgm.settings import PROJECT

METHODS = [
    ("tgm/**.py", "python"),
    ("templates/**.html", "jinja2"),
]
KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "N_": None}


def texts() -> set[str]:
    found = set()
    options = {"templates/**.html": {"extensions": "jinja2.ext.do"}}
    for _, _, message, _, _ in extract_from_dir(
        PROJECT, METHODS, options_map=options, keywords=KEYWORDS
    ):
        found.add(message[0] if isinstance(message, tuple) else message)
    return found


def catalog() -> Catalog:
    path = PROJECT / "tgm" / "translations" / "id" / "LC_MESSAGES" / "messages.po"
    return read_po(io.BytesIO(path.read_bytes()), locale="id")


def test_no_text_is_missing_in_indonesian() -> None:
    translated = {
        message.id[0] if isinstance(message.id, tuple) else message.id
        for message in catalog()
        if message.string and not message.fuzzy
    }
    missing = sorted(texts() - translated)
    assert missing == [], f"Run `make translations` and translate these: {missing}"


def test_nothing_is_translated_that_is_no_longer_there() -> None:
    known = {m.id[0] if isinstance(m.id, tuple) else m.id for m in catalog() if m.id}
    assert sorted(known - texts()) == []


def test_places_in_a_text_are_the_same_in_both_languages() -> None:
    for message in catalog():
        for error in message.check():
            raise AssertionError(f"{message.id!r}: {error}")
