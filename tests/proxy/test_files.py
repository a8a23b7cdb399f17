"""Downloads without the token in the address."""

from pathlib import Path

import pytest

from tests.fakes.telegram import TOKEN, FakeTelegram, Reply, reply
from tests.proxy.conftest import Program
from tgm.bots.models import Bot

pytestmark = pytest.mark.usefixtures("each_way")

CONTENT = bytes(range(256)) * 40
BIG = bytes(range(256)) * 4096


def test_a_file_comes_from_telegram(program: Program, telegram: FakeTelegram) -> None:
    telegram.files["photos/file 1.jpg"] = CONTENT
    got = program.call("file/photos/file%201.jpg", None, verb="GET")
    assert (got.status, got.body) == (200, CONTENT)
    assert telegram.requests[0].target == f"/file/bot{TOKEN}/photos/file%201.jpg"
    assert got.headers["X-TGM-Source"] == "telegram"
    assert got.headers["X-RateLimit-Limit"]


def test_a_big_file_streams(program: Program, telegram: FakeTelegram) -> None:
    telegram.files["videos/file_1.mp4"] = BIG
    got = program.call("file/videos/file_1.mp4", None, verb="GET")
    assert got.body == BIG
    assert got.headers["Content-Length"] == str(len(BIG))


def test_range_and_conditions_go_on_and_their_answers_come_back(
    program: Program, telegram: FakeTelegram
) -> None:
    part = {
        "Content-Range": "bytes 10-19/100",
        "ETag": '"abc"',
        "Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT",
        "Accept-Ranges": "bytes",
    }
    telegram.replies(reply(b"0123456789", 206, headers=part))
    asked = {
        "Range": "bytes=10-19",
        "If-Range": '"abc"',
        "If-None-Match": '"x"',
        "If-Modified-Since": "Sat, 21 Nov 2026 00:00:00 GMT",
    }
    got = program.call("file/a/b", None, verb="GET", headers={**asked, "Cookie": "a=b"})
    assert (got.status, got.body) == (206, b"0123456789")
    for name, value in part.items():
        assert got.headers[name] == value
    recorded = telegram.requests[0]
    assert {n: recorded.header(n) for n in asked} == asked
    assert recorded.header("Cookie") is None


def test_not_modified_has_no_body(program: Program, telegram: FakeTelegram) -> None:
    telegram.replies(Reply(b'HTTP/1.1 304 Not Modified\r\nETag: "abc"\r\n\r\n'))
    got = program.call("file/a/b", None, verb="GET", headers={"If-None-Match": '"abc"'})
    assert (got.status, got.body, got.headers["ETag"]) == (304, b"", '"abc"')


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "%2e%2e/x", "%252e%252e/x", "a%2fb", "a/..%5cx", "/etc/passwd"]
)
def test_traversal_never_reaches_telegram(
    program: Program, telegram: FakeTelegram, path: str
) -> None:
    got = program.call(f"file/{path}", None, verb="GET")
    assert (got.status, got.headers["X-TGM-Source"]) == (404, "gateway")
    assert telegram.requests == []


def test_a_file_can_only_be_fetched(program: Program, telegram: FakeTelegram) -> None:
    telegram.files["a/b"] = CONTENT
    got = program.call("file/a/b", b"x")
    assert (got.status, got.headers["Allow"]) == (405, "GET")
    assert telegram.requests == []


def test_a_key_that_may_not_ask_for_a_path_may_not_download(
    served: object, bot: Bot, make_key: object, telegram: FakeTelegram
) -> None:
    telegram.files["a/b"] = CONTENT
    key = make_key(methods="send*")  # type: ignore[operator]
    sender = Program(served, str(bot.id), key)  # type: ignore[arg-type]
    assert sender.call("file/a/b", None, verb="GET").status == 403
    key = make_key(methods="getFile")  # type: ignore[operator]
    reader = Program(served, str(bot.id), key)  # type: ignore[arg-type]
    assert reader.call("file/a/b", None, verb="GET").status == 200


def test_a_missing_file_is_telegrams_to_refuse(program: Program) -> None:
    got = program.call("file/none/such", None, verb="GET")
    assert (got.status, got.headers["X-TGM-Source"]) == (404, "telegram")


NOT_SERVED = [
    "link",
    "documents",
    "none",
    "../other-bot/secret",
    "td.binlog",
    "documents/db.sqlite",
    "documents/sly",
]


class TestLocalServer:
    """A local Bot API server answers absolute paths and serves no files itself."""

    @pytest.fixture
    def environ(self, environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
        folder = tmp_path / "telegram-bot-api"
        (folder / TOKEN / "documents").mkdir(parents=True)
        (folder / TOKEN / "documents" / "file_0.pdf").write_bytes(CONTENT)
        (folder / "other-bot").mkdir()
        (folder / "other-bot" / "secret").write_text("another bot's file")
        (folder / TOKEN / "link").symlink_to(folder / "other-bot" / "secret")
        (folder / TOKEN / "td.binlog").write_text("the server's own session")
        (folder / TOKEN / "documents" / "db.sqlite").write_text("the server's own")
        (folder / TOKEN / "documents" / "sly").symlink_to(folder / TOKEN / "td.binlog")
        (folder / TOKEN / "documents" / "own-link").symlink_to(
            folder / TOKEN / "documents" / "file_0.pdf"
        )
        return {**environ, "TELEGRAM_FILES_DIR": str(folder)}

    def test_get_file_and_the_download_fit_together(
        self, program: Program, telegram: FakeTelegram, environ: dict[str, str]
    ) -> None:
        path = f"{environ['TELEGRAM_FILES_DIR']}/{TOKEN}/documents/file_0.pdf"
        telegram.always("getFile", reply({"ok": True, "result": {"file_path": path}}))
        asked = program.call("getFile")
        assert TOKEN.encode() not in asked.body
        relative = asked.json["result"]["file_path"]
        assert relative == "documents/file_0.pdf"
        telegram.requests.clear()
        got = program.call(f"file/{relative}", None, verb="GET")
        assert (got.status, got.body) == (200, CONTENT)
        assert got.headers["Content-Type"] == "application/octet-stream"
        assert telegram.requests == []

    def test_a_part_of_it(self, program: Program) -> None:
        headers = {"Range": "bytes=1-3"}
        got = program.call("file/documents/file_0.pdf", None, verb="GET", headers=headers)
        assert (got.status, got.body) == (206, CONTENT[1:4])
        assert got.headers["Content-Range"] == f"bytes 1-3/{len(CONTENT)}"

    def test_a_part_beyond_its_end(self, program: Program) -> None:
        headers = {"Range": "bytes=999999-"}
        got = program.call("file/documents/file_0.pdf", None, verb="GET", headers=headers)
        assert (got.status, got.json["error_code"]) == (416, 416)

    def test_not_modified(self, program: Program) -> None:
        first = program.call("file/documents/file_0.pdf", None, verb="GET")
        headers = {"If-None-Match": first.headers["ETag"]}
        got = program.call("file/documents/file_0.pdf", None, verb="GET", headers=headers)
        assert (got.status, got.body) == (304, b"")

    def test_a_link_that_stays_in_the_bots_folder_is_followed(self, program: Program) -> None:
        assert program.call("file/documents/own-link", None, verb="GET").body == CONTENT

    @pytest.mark.parametrize(
        "path",
        [
            "link",
            "documents",
            "none",
            "../other-bot/secret",
            "td.binlog",
            "documents/db.sqlite",
            "documents/sly",
        ],
    )
    def test_nothing_else_is_read(self, program: Program, path: str) -> None:
        got = program.call(f"file/{path}", None, verb="GET")
        assert (got.status, got.json["error_code"]) == (404, 404)
