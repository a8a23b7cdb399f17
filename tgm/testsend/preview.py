"""What a formatted text will look like, made safe.

Texts are other people's words. Nothing of them reaches the page but as escaped text between tags
that stand in this file: `<`, `>`, `&` and quotes of the text itself never come through.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markupsafe import Markup, escape

from tgm.shared.errors import N_, TgmError

# The only tags that a preview may hold, by what they stand for.
OPENING = {
    "b": "<b>",
    "i": "<i>",
    "u": "<u>",
    "s": "<s>",
    "code": "<code>",
    "pre": "<pre>",
    "quote": "<blockquote>",
    "spoiler": '<span class="spoiler">',
    "link": "<u>",
    "emoji": "",
}
CLOSING = {
    "b": "</b>",
    "i": "</i>",
    "u": "</u>",
    "s": "</s>",
    "code": "</code>",
    "pre": "</pre>",
    "quote": "</blockquote>",
    "spoiler": "</span>",
    "link": "</u>",
    "emoji": "",
}
_HTML = {
    **dict.fromkeys(("b", "strong"), "b"),
    **dict.fromkeys(("i", "em"), "i"),
    **dict.fromkeys(("u", "ins"), "u"),
    **dict.fromkeys(("s", "strike", "del"), "s"),
    **{"code": "code", "pre": "pre", "blockquote": "quote", "tg-spoiler": "spoiler"},
    **{"a": "link", "tg-emoji": "emoji"},
}
_LONGEST = 10_000
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class Preview:
    """The text as it will look, and what Telegram is likely to refuse."""

    html: Markup
    problems: tuple[TgmError, ...] = ()


def preview(text: str, parse_mode: str) -> Preview:
    """Return what `text` looks like; `parse_mode` is "", HTML, MarkdownV2 or Markdown."""
    text = text.replace("\r\n", "\n")[:_LONGEST]
    sheet = _Sheet()
    readers: dict[str, Callable[[str, _Sheet], None]] = {
        "html": _read_html,
        "markdownv2": _read_markdown,
        "markdown": _read_legacy,
    }
    reader = readers.get(parse_mode.lower())
    if reader is None:
        sheet.write(text)
    else:
        reader(text, sheet)
    return sheet.done()


@dataclass
class _Sheet:
    """Collects text and the tags of this file, always well nested."""

    parts: list[str] = field(default_factory=list)
    problems: list[TgmError] = field(default_factory=list)
    _open: list[tuple[str, str, str]] = field(default_factory=list)

    def write(self, text: str) -> None:
        self.parts.append(str(escape(text)))

    def open(self, kind: str, shown: str, after: str = "") -> None:
        """Begin a kind; `shown` is how the text spells it, `after` what follows its end."""
        self._open.append((kind, shown, after))
        self.parts.append(OPENING[kind])

    def close(self, kind: str) -> bool:
        """End the innermost kind. False where that is another one."""
        if not self._open or self._open[-1][0] != kind:
            return False
        self._end()
        return True

    def top(self) -> str:
        return self._open[-1][0] if self._open else ""

    def is_open(self, kind: str) -> bool:
        return any(kind == one for one, _, _ in self._open)

    def complain(self, message: str, *, mark: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(TgmError(message, mark=mark))

    def done(self) -> Preview:
        while self._open:
            self.complain(N_("“%(mark)s” is not closed."), mark=self._open[-1][1])
            self._end()
        return Preview(Markup("".join(self.parts)), tuple(self.problems))  # noqa: S704

    def _end(self) -> None:
        kind, _, after = self._open.pop()
        self.parts.append(CLOSING[kind])
        if after:
            self.write(f" ({after})")


class _Reader(HTMLParser):
    def __init__(self, sheet: _Sheet) -> None:
        super().__init__(convert_charrefs=True)
        self._sheet = sheet

    def set_cdata_mode(self, elem: str, **_more: object) -> None:
        """Do nothing: Telegram knows no elements whose content is not HTML."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        kind = _HTML.get(tag)
        if tag == "span" and values.get("class") == "tg-spoiler":
            kind = "spoiler"
        if kind is None:
            self._strange(tag)
            return
        self._sheet.open(kind, f"<{tag}>", values.get("href") or "" if kind == "link" else "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._strange(tag)

    def handle_endtag(self, tag: str) -> None:
        kind = "spoiler" if tag == "span" else _HTML.get(tag)
        if kind is None or not self._sheet.close(kind):
            self._sheet.complain(N_("“%(mark)s” closes nothing."), mark=f"</{tag[:32]}>")

    def handle_data(self, data: str) -> None:
        self._sheet.write(data)

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        self._strange("!--")

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002
        self._strange("!")

    def handle_pi(self, data: str) -> None:  # noqa: ARG002
        self._strange("?")

    def unknown_decl(self, data: str) -> None:  # noqa: ARG002
        self._strange("!")

    def _strange(self, tag: str) -> None:
        self._sheet.complain(N_("Telegram knows no tag “%(mark)s”."), mark=f"<{tag[:32]}>")


def _read_html(text: str, sheet: _Sheet) -> None:
    reader = _Reader(sheet)
    reader.feed(text)
    reader.close()


# The longer marks before those that they begin with.
_MARKS = {"||": "spoiler", "__": "u", "*": "b", "_": "i", "~": "s"}
_LEGACY_MARKS = {"*": "b", "_": "i"}
_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")


def _read_markdown(text: str, sheet: _Sheet) -> None:
    _Marked(text, sheet, _MARKS, is_strict=True).read()


def _read_legacy(text: str, sheet: _Sheet) -> None:
    _Marked(text, sheet, _LEGACY_MARKS, is_strict=False).read()


class _Marked:
    """Reads MarkdownV2, or its older sister, which knows fewer marks and no reserved characters."""

    def __init__(self, text: str, sheet: _Sheet, marks: dict[str, str], *, is_strict: bool) -> None:
        self._text = text
        self._sheet = sheet
        self._marks = marks
        self._is_strict = is_strict
        self._at = 0

    def read(self) -> None:
        while self._at < len(self._text):
            self._step()
        self._end_quote()

    def _step(self) -> None:
        text, at = self._text, self._at
        character = text[at]
        if self._is_strict and (at == 0 or text[at - 1] == "\n"):
            if character == ">":
                self._at += 1
                if not self._sheet.is_open("quote"):
                    self._sheet.open("quote", ">")
                return
            self._end_quote()
        if character == "\\" and at + 1 < len(text) and ord(text[at + 1]) < 127:
            self._sheet.write(text[at + 1])
            self._at += 2
        elif character == "`":
            self._code()
        elif not self._mark() and not self._link():
            if self._is_strict and character in _RESERVED:
                self._sheet.complain(N_("“%(mark)s” needs a \\ before it."), mark=character)
            self._sheet.write(character)
            self._at += 1

    def _end_quote(self) -> None:
        # A mark inside that is still open is said to be so at the end.
        self._sheet.close("quote")

    def _code(self) -> None:
        fence = "```" if self._text.startswith("```", self._at) else "`"
        start = self._at + len(fence)
        end = self._text.find(fence, start)
        kind = "pre" if fence == "```" else "code"
        inside = self._text[start:] if end < 0 else self._text[start:end]
        self._sheet.open(kind, fence)
        self._sheet.write(_without_language(inside) if kind == "pre" else inside)
        if end < 0:
            self._at = len(self._text)
            return
        self._sheet.close(kind)
        self._at = end + len(fence)

    def _mark(self) -> bool:
        for mark, kind in self._marks.items():
            if not self._text.startswith(mark, self._at):
                continue
            if self._sheet.top() == kind:
                self._sheet.close(kind)
            elif self._sheet.is_open(kind):
                self._sheet.complain(N_("“%(mark)s” closes nothing."), mark=mark)
                self._sheet.write(mark)
            else:
                self._sheet.open(kind, mark)
            self._at += len(mark)
            return True
        return False

    def _link(self) -> bool:
        """Read `](address)` at the end of a link, or the `[` at its beginning."""
        character = self._text[self._at]
        if character in "[!" and (start := self._text.find("[", self._at, self._at + 2)) >= 0:
            middle = self._text.find("](", start)
            end = self._text.find(")", middle)
            if middle < 0 or end < 0 or self._sheet.is_open("link"):
                return False
            kind = "link" if character == "[" else "emoji"
            address = self._text[middle + 2 : end] if kind == "link" else ""
            self._sheet.open(kind, "[", address)
            self._at = start + 1
            return True
        if character != "]" or self._sheet.top() not in {"link", "emoji"}:
            return False
        end = self._text.find(")", self._at)
        if not self._text.startswith("](", self._at) or end < 0:
            return False
        self._sheet.close(self._sheet.top())
        self._at = end + 1
        return True


def _without_language(code: str) -> str:
    first, end, rest = code.partition("\n")
    return rest if end and first.isalnum() else code.removeprefix("\n")
