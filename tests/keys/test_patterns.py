"""Method patterns, held against an oracle of the standard library's."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.keys.patterns import LITERAL_ONLY, allows, parse
from tgm.shared.errors import Invalid

LETTERS = st.sampled_from("abAB")
METHODS = st.text(LETTERS, min_size=1, max_size=12)
PATTERNS = st.text(st.sampled_from("abAB**"), min_size=1, max_size=10)


@given(st.lists(PATTERNS, max_size=4), METHODS)
def test_a_star_stands_for_any_letters_and_case_does_not_matter(
    patterns: list[str], method: str
) -> None:
    expected = any(fnmatchcase(method.lower(), pattern.lower()) for pattern in patterns)
    assert allows(patterns, method) is expected


@given(
    st.sampled_from(sorted(LITERAL_ONLY)),
    st.lists(st.text(st.sampled_from("*seoWbhk"), min_size=1).filter(lambda p: "*" in p)),
)
def test_no_star_reaches_what_must_be_named(name: str, patterns: list[str]) -> None:
    ways = [name[:i] + "*" + name[j:] for i in range(len(name)) for j in range(i, len(name) + 1)]
    assert not allows([*patterns, *ways, "*"], name)
    assert not allows([*patterns, *ways, "*"], name.upper())
    assert allows([*patterns, name.title()], name)


@pytest.mark.parametrize("name", ["logOut", "close"])
def test_what_would_take_the_bot_away_must_be_named(name: str) -> None:
    assert not allows(("*",), name)
    assert allows((name.lower(),), name.upper())


@pytest.mark.parametrize(
    ("patterns", "method", "allowed"),
    [
        (("*",), "sendMessage", True),
        (("send*",), "SENDPHOTO", True),
        (("send*",), "editMessageText", False),
        (("getMe",), "getme", True),
        (("getMe",), "getMenu", False),
        (("*Message",), "sendMessage", True),
        (("*Message",), "sendMessageDraft", False),
        (("getMe", "edit*"), "editMessageText", True),
        ((), "getMe", False),
    ],
)
def test_patterns_read_as_people_expect(
    patterns: tuple[str, ...], method: str, allowed: bool
) -> None:
    assert allows(patterns, method) is allowed


@given(st.lists(PATTERNS, max_size=20), st.sampled_from([" ", ",", "\n", ", ", "\r\n"]))
def test_patterns_survive_being_written_and_read(patterns: list[str], between: str) -> None:
    parsed = parse(between.join(patterns))
    assert {p.lower() for p in parsed} == ({p.lower() for p in patterns} or {"*"})
    assert parse(" ".join(parsed)) == parsed


def test_no_pattern_means_every_method() -> None:
    assert parse(" \n,") == ("*",)


def test_repeats_are_dropped_whatever_their_case() -> None:
    assert parse("getMe GETME send* getMe") == ("getMe", "send*")


@pytest.mark.parametrize(
    "text", ["send?", "getMe;", "método", "a/b", "%64elete", "a" * 65, "\uff53end", "get_me", "-"]
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(f"getMe {text}")
    assert caught.value.field == "methods"


def test_a_key_takes_no_more_patterns_than_its_column_holds() -> None:
    def name(number: int, length: int) -> str:
        return "".join(chr(ord("a") + int(digit)) for digit in f"{number:0{length}d}")

    assert len(parse(" ".join(name(i, 19) for i in range(100)))) == 100
    for text in (
        " ".join(name(i, 3) for i in range(101)),
        " ".join(name(i, 20) for i in range(100)),
    ):
        with pytest.raises(Invalid):
            parse(text)
