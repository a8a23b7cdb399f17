"""Reading HTTP/1.1 answers as they come in, block by block.

httptools does the parsing: with the standard library, whose headers are e-mail messages, the
gateway's own part of a call takes twice the processor time.
"""

from collections.abc import Mapping

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

# What an honest server's head stays far below.
_LARGEST_HEAD = 128 * 1024


class BadResponse(ValueError):
    """What came in is no answer in HTTP's form."""


class Response:
    """One answer, fed with the bytes of a connection.

    `headers` are by their names in lower case, of several the first. `length` is the body's size in
    bytes, None where only its frames or the end of the connection tell; `unread` how many of them
    have come and not been taken.
    """

    def __init__(self) -> None:
        self.status = 0
        self.reason = ""
        self.headers: Mapping[str, str] = {}
        self.length: int | None = None
        self.has_head = False
        self.is_complete = False
        self.keeps_alive = False
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._names: dict[str, str] = {}
        self._body: list[bytes] = []
        self.unread = 0
        self._fed = 0

    def feed(self, data: bytes) -> None:
        """Take some bytes. Raises BadResponse."""
        if not self.has_head:
            self._fed += len(data)
        if self._parser is None:
            self.keeps_alive = False
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            # Nobody has asked for another protocol.
            raise BadResponse("the protocol would change") from None
        except HttpParserError as error:
            self.keeps_alive = False
            if not self.is_complete:
                raise BadResponse(str(error)) from None
        if self.is_complete:
            # It knows this object: without it the memory is free at once.
            self._parser = None
        if not self.has_head and self._fed > _LARGEST_HEAD:
            raise BadResponse("the headers are too large")

    def end(self) -> bool:
        """Hear that the connection has ended; tell whether the answer is whole."""
        if self.has_head and self.length is None and "transfer-encoding" not in self._names:
            self.is_complete = True
        return self.is_complete

    def take(self) -> bytes:
        """Return what has come of the body since the last time."""
        self.unread = 0
        if len(self._body) == 1:
            return self._body.pop()
        body, self._body = b"".join(self._body), []
        return body

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        # Something behind the answer: whatever it is, nobody asked for it.
        self.keeps_alive = False

    def on_status(self, part: bytes) -> None:
        if not self.is_complete:
            self.reason += part.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        # Behind the head there are trailers, which say nothing to us.
        if not self.has_head:
            self._names.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        if self.is_complete:
            return
        status = self._told().get_status_code()
        if status == 100:
            # The answer is still to come.
            self.reason, self._names = "", {}
            return
        self.status, self.headers, self.has_head = status, self._names, True
        if status in {204, 304} or status < 200:
            self.length = 0
        elif "content-length" in self._names:
            self.length = int(self._names["content-length"])

    def on_body(self, part: bytes) -> None:
        if not self.is_complete:
            self._body.append(part)
            self.unread += len(part)

    def on_message_complete(self) -> None:
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self.keeps_alive = self._told().should_keep_alive()

    def _told(self) -> HttpResponseParser:
        assert self._parser is not None  # noqa: S101 - it is the one that calls
        return self._parser
