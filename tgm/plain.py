"""Reading a request that is here in full and has nothing unusual about it.

httptools does it in a fifth of the time that waitress takes. Whatever is not plain, from a body
that is still coming to a header that stands there twice, is left to waitress, which reads it from
its start: so nothing is understood here in another way than there.
"""

from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

_LARGEST = 64 * 1024
_VERBS = frozenset({b"GET", b"POST"})
# They change how a request, or what follows it, has to be read; waitress knows how.
_UNUSUAL = frozenset(
    {"HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE", "HTTP_CONTENT_ENCODING", "HTTP_TE"}
)
_NAMES = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": "CONTENT_LENGTH"}


# What `read` returns while the body of a plain request is still to come.
UNFINISHED: dict[str, Any] = {}


class _Unusual(Exception):
    """Not plain. Raised within the parser."""


@lru_cache(maxsize=256)
def _cgi_name(name: bytes) -> str:
    if b"_" in name:
        # Not to be told from a dash: waitress leaves such headers out.
        raise _Unusual
    variable = "HTTP_" + name.decode("ascii").upper().replace("-", "_")
    if variable in _UNUSUAL:
        raise _Unusual
    return _NAMES.get(variable, variable)


class _Reader:
    """Called by the parser."""

    def __init__(self) -> None:
        self.environ: dict[str, Any] = {}
        self.url = b""
        self.body = b""
        self.messages = 0
        self.has_head = False
        self.is_complete = False

    def on_message_begin(self) -> None:
        self.messages += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        variable = _cgi_name(name)
        if variable in self.environ:
            raise _Unusual
        text = value.decode("latin-1").strip(" \t")
        if variable == "HTTP_CONNECTION" and text.lower() != "keep-alive":
            raise _Unusual
        self.environ[variable] = text

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.is_complete = True


def read(data: bytes, address: str) -> dict[str, Any] | None:
    """Return a request's environ, UNFINISHED where some of its body is missing; None where it is
    not plain.

    Of WSGI's environ there is what programs' calls are answered by: no server's name, for example.
    `address` is the caller's.
    """
    if len(data) > _LARGEST:
        return None
    reader = _Reader()
    parser = HttpRequestParser(reader)
    try:
        parser.feed_data(data)
    except (HttpParserError, HttpParserUpgrade, _Unusual, UnicodeDecodeError):
        return None
    environ, url = reader.environ, reader.url
    verb = parser.get_method()
    if (
        not reader.has_head
        or reader.messages != 1
        or verb not in _VERBS
        # Not a space more than there should be, and nothing behind the body.
        or not data.startswith(b"%b %b HTTP/1.1\r\n" % (verb, url))
        or data.find(b"\r\n\r\n") + 4 + len(reader.body) != len(data)
        or int(environ.get("CONTENT_LENGTH", "0")) > _LARGEST
        or url[:1] != b"/"
        or b"#" in url
    ):
        return None
    path, _, query = url.partition(b"?")
    path = unquote_to_bytes(path) if b"%" in path else path
    if path[:2] == b"//":
        return None
    if not reader.is_complete:
        return UNFINISHED
    environ["REQUEST_METHOD"] = verb.decode()
    environ["REQUEST_URI"] = url.decode("latin-1")
    environ["PATH_INFO"] = path.decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
    environ["REMOTE_ADDR"] = address
    environ["wsgi.input"] = BytesIO(reader.body)
    return environ
