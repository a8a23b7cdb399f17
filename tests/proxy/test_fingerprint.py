"""When two requests with one Idempotency-Key are the same."""

from hypothesis import given
from hypothesis import strategies as st

from tgm.proxy.blocks import replaced
from tgm.proxy.fingerprint import fingerprint


def form(boundary: str, text: str = "hi") -> tuple[str, bytes]:
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}\r\n'
        f"--{boundary}--\r\n"
    )
    return f"multipart/form-data; boundary={boundary}", body.encode()


def of(content_type: str, body: bytes, *, method: str = "sendMessage", query: str = "") -> str:
    return fingerprint("bot", method, query, content_type, [body])


def test_a_form_sent_again_with_another_boundary_is_the_same() -> None:
    assert of(*form("aaa111")) == of(*form("bbb2222222"))


def test_a_quoted_boundary_is_one_too() -> None:
    content_type, body = form("q")
    assert of('multipart/form-data; boundary="q"', body) == of(content_type, body)


def test_another_text_is_another_request() -> None:
    assert of(*form("a", "hi")) != of(*form("a", "ho"))


def test_another_method_or_query_is_another_request_but_not_another_case() -> None:
    body = b"{}"
    assert of("application/json", body) == of("application/json", body, method="SENDMESSAGE")
    assert of("application/json", body) != of("application/json", body, method="sendPhoto")
    assert of("application/json", body) != of("application/json", body, query="a=1")


def test_a_boundary_in_a_body_that_is_no_form_is_content() -> None:
    assert of("text/plain; boundary=a", b"--a") != of("text/plain; boundary=b", b"--b")


@given(
    st.binary(max_size=300),
    st.binary(min_size=2, max_size=5),
    st.lists(st.integers(min_value=1, max_value=40), max_size=20),
)
def test_replacing_does_not_depend_on_where_blocks_end(
    data: bytes, old: bytes, cuts: list[int]
) -> None:
    blocks, rest = [], data
    for cut in cuts:
        blocks.append(rest[:cut])
        rest = rest[cut:]
    blocks.append(rest)
    assert b"".join(replaced(blocks, old, b"<>")) == data.replace(old, b"<>")
