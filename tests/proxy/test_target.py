"""What a request target asks for, decided on its bytes as sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.proxy.target import FileTarget, MethodTarget, file_path, is_safe_path, parse
from tgm.shared.errors import NotFound, TgmError

BOT = "01HZXK3V5QJ8Y3N6M2R7T4W9AB"


def test_a_method_call_is_taken_apart_and_its_query_left_alone() -> None:
    target = parse(f"/api/v1/bots/{BOT}/sendMessage?chat_id=1&text=a%20b+%ff&x")
    assert target == MethodTarget(BOT, "sendMessage", "chat_id=1&text=a%20b+%ff&x")


def test_a_target_may_name_the_host_as_well() -> None:
    assert parse(f"http://tgm.example:8080/api/v1/bots/{BOT}/getMe") == MethodTarget(
        BOT, "getMe", ""
    )


@pytest.mark.parametrize(
    "tail",
    [
        "%64eleteWebhook",
        "deleteWebhoo%6b",
        "",
        "?method=deleteWebhook",
        "test/getMe",
        "getMe/",
        "/getMe",
        "get_me",
        "getMe1",
        "getMe%00",
        "getMe;x",
        "getMe#x",
        "\uff47etMe",
        "getMé",
        "a" * 65,
        "file",
        "file/",
        "FILE/photos/a.jpg",
    ],
)
def test_only_plain_letters_are_a_method(tail: str) -> None:
    if tail == "file":
        # Letters: Telegram knows no such method, and says so itself.
        assert parse(f"/api/v1/bots/{BOT}/file") == MethodTarget(BOT, "file", "")
        return
    with pytest.raises(NotFound):
        parse(f"/api/v1/bots/{BOT}/{tail}")


@pytest.mark.parametrize("path", ["//api/v1/bots/x/getMe", "/api/v1/bots", "/api/v1//bots/x/getMe"])
def test_a_path_that_is_not_exactly_the_proxys_is_nothing(path: str) -> None:
    with pytest.raises(NotFound):
        parse(path)


def test_a_file_path_is_decoded_once() -> None:
    target = parse(f"/api/v1/bots/{BOT}/file/documents/a%20b.pdf")
    assert target == FileTarget(BOT, "documents/a b.pdf")
    assert isinstance(target, FileTarget)
    assert target.quoted == "documents/a%20b.pdf"


@pytest.mark.parametrize(
    "raw",
    [
        "../secret",
        "photos/../../secret",
        "photos/%2e%2e/secret",
        "photos/%2E./secret",
        "photos/%252e%252e/secret",
        "photos%2f..%2fsecret",
        "photos/..\\secret",
        "photos/%5c..",
        "/etc/passwd",
        "photos//a",
        "photos/",
        "./a",
        "",
        "a%00b",
        "a%0d%0aX-Evil:1",
        "%ff",
        "caf\xe9",
    ],
)
def test_traversal_in_any_disguise_is_refused(raw: str) -> None:
    with pytest.raises(NotFound):
        file_path(raw)


@given(st.text(max_size=80))
def test_whatever_is_accepted_stays_below_its_folder(raw: str) -> None:
    try:
        path = file_path(raw)
    except NotFound:
        return
    assert is_safe_path(path)
    assert not path.startswith("/")
    assert ".." not in path.split("/")


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=60))
def test_whatever_is_taken_for_a_method_is_ascii_letters(tail: str) -> None:
    try:
        target = parse(f"/api/v1/bots/{BOT}/{tail}")
    except TgmError:
        return
    if isinstance(target, MethodTarget):
        assert target.method.isascii()
        assert target.method.isalpha()
