"""A preview looks like the message, and lets nothing of it become part of the page."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.testsend.preview import CLOSING, OPENING, preview

MODES = ("", "HTML", "MarkdownV2", "Markdown", "html", "nonsense")
OURS = sorted({*OPENING.values(), *CLOSING.values()} - {""})
SIGNS = st.sampled_from(
    [
        *("<b>", "</b>", '<a href="javascript:alert(1)">', "</a>", "<script>", "</script>"),
        *("<img src=x ", "onerror=alert(1)>", "<", ">", "&", "&lt;", "&#60;", '"', "'"),
        *("`", "```", "*", "_", "__", "~", "||", "[", "](", ")", "!", "\\", "\n", "\0", "x"),
        *("<!--", "-->", "<![CDATA[", "<?", '<span class="tg-spoiler">', "</span>", "<style>"),
        *("<tg-emoji emoji-id='1'>", "<pre>", "</pre>", "<plaintext>", "<svg/"),
    ]
)
HOSTILE = st.one_of(st.text(), st.lists(SIGNS, max_size=40).map("".join))


class Balance(HTMLParser):
    """Notes each tag, and whether every one is closed by its own."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.is_good = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_good &= attrs in ([], [("class", "spoiler")])
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.is_good &= bool(self.open) and self.open.pop() == tag


@given(text=HOSTILE, mode=st.sampled_from(MODES))
def test_only_tags_of_our_own_come_out_whatever_goes_in(text: str, mode: str) -> None:
    html = str(preview(text, mode).html)
    rest = html
    for tag in OURS:
        rest = rest.replace(tag, "")
    assert not re.search(r"[<>\"']", rest), html
    balance = Balance()
    balance.feed(html)
    balance.close()
    assert balance.is_good, html
    assert balance.open == [], html


@pytest.mark.parametrize(
    ("mode", "text", "html"),
    [
        ("", "<b>a</b> *b*", "&lt;b&gt;a&lt;/b&gt; *b*"),
        ("HTML", "<b>a <i>b</i></b>", "<b>a <i>b</i></b>"),
        (
            "HTML",
            "<strong>a</strong><em>b</em><ins>c</ins><del>d</del>",
            "<b>a</b><i>b</i><u>c</u><s>d</s>",
        ),
        ("HTML", '<span class="tg-spoiler">a</span>', '<span class="spoiler">a</span>'),
        ("HTML", "<tg-spoiler>a</tg-spoiler>", '<span class="spoiler">a</span>'),
        ("HTML", '<pre><code class="language-python">a</code></pre>', "<pre><code>a</code></pre>"),
        ("HTML", "<blockquote expandable>a</blockquote>", "<blockquote>a</blockquote>"),
        ("HTML", '<a href="https://a.b/?x=1&amp;y">t</a>', "<u>t</u> (https://a.b/?x=1&amp;y)"),
        ("HTML", "1 &lt; 2 &amp; 3", "1 &lt; 2 &amp; 3"),
        ("MarkdownV2", "*a _b_*", "<b>a <i>b</i></b>"),
        ("MarkdownV2", "__a__ ~b~ ||c||", '<u>a</u> <s>b</s> <span class="spoiler">c</span>'),
        ("MarkdownV2", "`a*b` ```py\nx\n```", "<code>a*b</code> <pre>x\n</pre>"),
        ("MarkdownV2", "\\*a\\*", "*a*"),
        ("MarkdownV2", "[t](https://a.b)", "<u>t</u> (https://a.b)"),
        ("MarkdownV2", ">a\n>b\nc", "<blockquote>a\nb\n</blockquote>c"),
        ("Markdown", "*a* _b_ `c` [t](u) a.b", "<b>a</b> <i>b</i> <code>c</code> <u>t</u> (u) a.b"),
    ],
)
def test_it_looks_like_the_message(mode: str, text: str, html: str) -> None:
    shown = preview(text, mode)
    assert str(shown.html) == html
    assert shown.problems == ()


@pytest.mark.parametrize(
    ("mode", "text", "problem"),
    [
        ("HTML", "<b>a", "“<b>” is not closed."),
        ("HTML", "a</b>", "“</b>” closes nothing."),
        ("HTML", "<h1>a</h1>", "Telegram knows no tag “<h1>”."),
        ("HTML", "a<br/>b", "Telegram knows no tag “<br>”."),
        ("MarkdownV2", "a.", "“.” needs a \\ before it."),
        ("MarkdownV2", "*a", "“*” is not closed."),
        ("MarkdownV2", "*a _b* c_", "“*” closes nothing."),
    ],
)
def test_it_says_what_telegram_is_likely_to_refuse(mode: str, text: str, problem: str) -> None:
    assert problem in [one.description for one in preview(text, mode).problems]
