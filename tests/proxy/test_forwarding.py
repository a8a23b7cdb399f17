"""What a caller sends reaches Telegram byte for byte, and nothing beside it."""

import pytest

from tests.fakes.telegram import TOKEN, FakeTelegram, Recorded
from tests.proxy.conftest import Program

pytestmark = pytest.mark.usefixtures("each_way")

FORM = (
    b'--xyz\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n123456789\r\n'
    b"--xyz\r\nContent-Disposition: form-data; name=\"photo\"; filename*=UTF-8''g%C3%A4mbar.jpg\r\n"
    b"Content-Type: image/jpeg\r\n\r\n\xff\xd8\x00\r\n--\x00binary\r\n--xyz--\r\n"
)
FORM_TYPE = "multipart/form-data; boundary=xyz"


def sent(telegram: FakeTelegram) -> Recorded:
    assert len(telegram.requests) == 1
    return telegram.requests[0]


def names(recorded: Recorded) -> set[str]:
    return {name.lower() for name, _ in recorded.headers}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{ "chat_id":1 ,\r\n "text":"\xc3\xa9\\u00e9" }'),
        ("application/x-www-form-urlencoded", b"chat_id=1&text=a+b%20c&text=%ff"),
        (FORM_TYPE, FORM),
        ("application/x-unheard-of", bytes(range(256))),
        ("application/json", b"not json at all"),
    ],
)
def test_a_body_goes_on_byte_for_byte(
    program: Program, telegram: FakeTelegram, content_type: str, body: bytes
) -> None:
    got = program.call("sendMessage", body, headers={"Content-Type": content_type})
    assert got.status == 200
    recorded = sent(telegram)
    assert (recorded.verb, recorded.target) == ("POST", f"/bot{TOKEN}/sendMessage")
    assert recorded.body == body
    assert recorded.header("Content-Type") == content_type
    assert recorded.header("Content-Length") == str(len(body))


def test_a_body_without_a_length_goes_on_whole(program: Program, telegram: FakeTelegram) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (FORM[:50], FORM[50:]))
    program.call(
        "sendPhoto",
        chunks + b"0\r\n\r\n",
        headers={"Content-Type": FORM_TYPE, "Transfer-Encoding": "chunked"},
    )
    assert sent(telegram).body == FORM
    assert sent(telegram).header("Content-Type") == FORM_TYPE


def test_the_query_goes_on_as_it_was_written(program: Program, telegram: FakeTelegram) -> None:
    query = "chat_id=1&text=%E2%9C%93+a%20b&x=%zz&empty=&text=2"
    program.call(f"sendMessage?{query}", None, verb="GET")
    assert sent(telegram).target == f"/bot{TOKEN}/sendMessage?{query}"


def test_addresses_in_a_query_stay_whole(program: Program, telegram: FakeTelegram) -> None:
    query = "text=see%20https://example.com/page&photo=http://a.example/b.jpg?c=d"
    program.call(f"sendPhoto?{query}", None, verb="GET")
    assert sent(telegram).target == f"/bot{TOKEN}/sendPhoto?{query}"


def test_bytes_beyond_ascii_in_a_query_go_on_as_they_are(
    program: Program, telegram: FakeTelegram
) -> None:
    head = f"GET /api/v1/bots/{program.bot_id}/sendMessage?text=caf\xc3\xa9 HTTP/1.0\r\n"
    answer = program.served.raw(f"{head}X-API-Key: {program.key}\r\n\r\n".encode("latin-1"))
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert sent(telegram).target == f"/bot{TOKEN}/sendMessage?text=caf\xc3\xa9"


@pytest.mark.parametrize("character", ["\t", "\x7f", "\x01"])
def test_a_control_character_in_the_address_is_the_callers_mistake(
    program: Program, telegram: FakeTelegram, character: str
) -> None:
    head = f"GET /api/v1/bots/{program.bot_id}/sendMessage?text=a{character}b HTTP/1.0\r\n"
    answer = program.served.raw(f"{head}X-API-Key: {program.key}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b'"error_code": 400' in answer
    assert telegram.requests == []


def test_query_and_form_together_both_arrive(program: Program, telegram: FakeTelegram) -> None:
    program.call("sendPhoto?chat_id=5&caption=hi", FORM, headers={"Content-Type": FORM_TYPE})
    assert sent(telegram).target.endswith("/sendPhoto?chat_id=5&caption=hi")
    assert sent(telegram).body == FORM


def test_a_get_may_have_a_body(program: Program, telegram: FakeTelegram) -> None:
    program.call("sendMessage", b'{"chat_id":1}', verb="GET")
    assert (sent(telegram).verb, sent(telegram).body) == ("GET", b'{"chat_id":1}')


def test_a_get_without_a_body_has_no_length(program: Program, telegram: FakeTelegram) -> None:
    program.call("getMe", None, verb="GET")
    assert names(sent(telegram)) == {"host"}


def test_a_post_may_have_no_body(program: Program, telegram: FakeTelegram) -> None:
    assert program.call("getMe", None).status == 200
    assert sent(telegram).header("Content-Length") == "0"
    assert sent(telegram).header("Content-Type") is None


def test_the_method_keeps_its_case(program: Program, telegram: FakeTelegram) -> None:
    program.call("SENDmessage")
    assert sent(telegram).target == f"/bot{TOKEN}/SENDmessage"


def test_no_other_header_travels(program: Program, telegram: FakeTelegram) -> None:
    program.call(
        "sendMessage",
        headers={
            "Cookie": "tgm_session=abc",
            "Authorization": "Bearer something",
            "X-Forwarded-For": "203.0.113.1",
            "X-Forwarded-Host": "evil.example",
            "Forwarded": "for=203.0.113.1",
            "Accept-Encoding": "gzip, br",
            "Accept": "text/html",
            "User-Agent": "Program/1.0",
            "Referer": "http://x/",
            "Origin": "http://x",
            "Idempotency-Key": "abc",
            "X-Telegram-Anything": "1",
            "Te": "trailers",
        },
    )
    assert names(sent(telegram)) == {"host", "content-type", "content-length"}


def test_connections_to_telegram_are_used_again(program: Program, telegram: FakeTelegram) -> None:
    program.call("getMe")
    before = telegram.connections
    for _ in range(5):
        assert program.call("getMe").status == 200
    assert telegram.connections == before


def test_a_connection_that_telegram_closed_meanwhile_is_noticed(
    program: Program, telegram: FakeTelegram
) -> None:
    for _ in range(3):
        assert program.call("getMe").status == 200
        telegram.drop_connections()


def test_an_unknown_method_is_telegrams_to_refuse(program: Program, telegram: FakeTelegram) -> None:
    got = program.call("inventTheWheel")
    assert (got.status, got.json["description"]) == (404, "Not Found")
    assert got.headers["X-TGM-Source"] == "telegram"
    assert sent(telegram).method == "inventTheWheel"
