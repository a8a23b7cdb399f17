"""The hub's own rules, round by round, with lines that are kept in memory."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tgm.live.events import HEARTBEAT, event
from tgm.live.hub import Hub
from tgm.live.pace import Pace
from tgm.live.stream import Stream


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Wire:
    """Where a line leads: what was written, and how much of it nobody has taken."""

    sent: list[bytes] = field(default_factory=list)
    unsent: int = 0
    is_gone: bool = False
    ended: str = ""

    def send(self, data: bytes) -> bool:
        if not self.is_gone:
            self.sent.append(data)
        return not self.is_gone

    def end(self) -> None:
        self.ended = "end"

    def drop(self) -> None:
        self.ended = "drop"


class Still(Hub):
    """Does its rounds when a test says so."""

    def _begin(self) -> None:
        pass


class Table:
    """A hub that stands still, and pages that a test changes."""

    def __init__(self, **times: Any) -> None:
        self.clock = Clock()
        self.hub = Still(Pace(**times), clock=self.clock)
        self.mark: Hashable = 1
        self.page: bytes | None = b"one"
        self.rendered = 0
        self.is_welcome = True
        self.asked = 0

    def join(
        self, view: str = "list", owner: str = "Ani", render: Callable[[], bytes] | None = None
    ) -> tuple[Stream, Wire]:
        """Open a stream, and return it with where it leads."""
        wire, made = Wire(), render or self.render
        stream = Stream(
            self.hub, owner, view, "topic", lambda: self.mark, made, self.look_up, guest=owner
        )
        stream.attach(wire)  # type: ignore[arg-type]
        return stream, wire

    def render(self) -> bytes | None:
        self.rendered += 1
        return self.page

    def look_up(self) -> bool:
        self.asked += 1
        return self.is_welcome

    def change(self, page: bytes) -> None:
        self.page, self.mark = page, (self.mark, page)


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_page_is_made_once_for_all_who_see_the_same(table: Table) -> None:
    wires = [table.join()[1] for _ in range(10)]
    table.hub.round()
    table.hub.round()
    assert table.rendered == 1
    assert [wire.sent for wire in wires] == [[event(b"one")]] * 10
    table.change(b"two")
    table.hub.round()
    assert table.rendered == 2
    assert wires[0].sent == [event(b"one"), event(b"two")]


def test_other_views_get_pages_of_their_own(table: Table) -> None:
    table.join("list")
    table.join("another list")
    table.hub.round()
    assert table.rendered == 2


def test_a_page_that_comes_out_the_same_is_not_sent_again(table: Table) -> None:
    wire = table.join()[1]
    table.hub.round()
    table.mark = 2
    table.hub.round()
    assert table.rendered == 2
    assert wire.sent == [event(b"one")]


def test_who_comes_later_gets_the_page_that_is_there(table: Table) -> None:
    table.join()
    table.hub.round()
    late = table.join()[1]
    table.hub.round()
    assert table.rendered == 1
    assert late.sent == [event(b"one")]


def a_list(*rows: str) -> bytes:
    """Return a page whose rows hold so many words each."""
    cells = "".join(f'<tr id="row-{row[:1]}" data-seq="1">\n<td>{row}</td>\n</tr>' for row in rows)
    return f'<section id="list"><tbody>{cells}</tbody><nav>{len(rows)}</nav></section>'.encode()


def test_a_row_that_stays_goes_out_empty_to_who_has_it(table: Table) -> None:
    table.page = a_list("b one", "a one")
    wire = table.join()[1]
    table.hub.round()
    table.change(a_list("c one", "b two", "a one"))
    table.hub.round()
    assert wire.sent[0] == event(a_list("b one", "a one"))
    sent = a_list("c one", "b two", "a one").replace(b"\n<td>a one</td>\n", b"")
    assert wire.sent[1] == event(sent)
    assert b'<tr id="row-a" data-seq="1"></tr>' in sent


def test_who_has_no_page_or_an_older_one_gets_all_of_it(table: Table) -> None:
    table.page = a_list("a one")
    behind = table.join()[1]
    table.hub.round()
    behind.unsent = 100
    table.change(a_list("b one", "a one"))
    table.hub.round()
    behind.unsent = 0
    late = table.join()[1]
    table.change(a_list("c one", "b one", "a one"))
    table.hub.round()
    whole = event(a_list("c one", "b one", "a one"))
    assert (behind.sent[1:], late.sent) == ([whole], [whole])


def test_a_list_that_empties_and_fills_is_sent_as_it_is(table: Table) -> None:
    pages = [a_list("a one"), b"<section>No rows</section>", a_list("a one")]
    table.page = pages[0]
    wire = table.join()[1]
    table.hub.round()
    for page in pages[1:]:
        table.change(page)
        table.hub.round()
    assert wire.sent == [event(page) for page in pages]


def test_a_round_tells_whether_it_brought_news(table: Table) -> None:
    table.join()
    assert not table.hub.round()
    table.change(b"two")
    assert table.hub.round()
    table.mark = "another"
    assert not table.hub.round()


def test_a_slow_reader_skips_to_the_newest_page(table: Table) -> None:
    wire = table.join()[1]
    table.hub.round()
    wire.unsent = 100
    for page in (b"two", b"three"):
        table.change(page)
        table.hub.round()
    wire.unsent = 0
    table.hub.round()
    assert wire.sent == [event(b"one"), event(b"three")]


def test_a_reader_who_takes_nothing_is_dropped(table: Table) -> None:
    wire = table.join()[1]
    slow = table.join()[1]
    wire.unsent = slow.unsent = 100
    table.hub.round()
    for second in range(29):
        table.clock.now += 1
        slow.unsent = 100 - second
        table.hub.round()
    assert (wire.ended, slow.ended) == ("", "")
    table.clock.now += 1.1
    slow.unsent = 1000
    table.hub.round()
    assert (wire.ended, slow.ended) == ("drop", "")
    assert len(table.hub) == 1


def test_a_line_that_is_gone_is_forgotten(table: Table) -> None:
    wire = table.join()[1]
    wire.is_gone = True
    table.hub.round()
    assert len(table.hub) == 0


def test_what_is_lost_is_forgotten_at_once(table: Table) -> None:
    stream, _ = table.join()
    stream.lost()
    stream.lost()
    assert len(table.hub) == 0


def test_silence_is_broken_by_a_heartbeat(table: Table) -> None:
    wire = table.join()[1]
    table.hub.round()
    for _ in range(2):
        table.clock.now += 14
        table.hub.round()
        assert wire.sent[-1] != HEARTBEAT or len(wire.sent) == 2
        table.clock.now += 1
        table.hub.round()
    assert wire.sent == [event(b"one"), HEARTBEAT, HEARTBEAT]


def test_a_stream_ends_when_its_time_is_over(table: Table) -> None:
    wire = table.join()[1]
    table.clock.now += 299
    table.hub.round()
    assert wire.ended == ""
    table.clock.now += 1
    table.hub.round()
    assert wire.ended == "end"
    assert len(table.hub) == 0


def test_who_is_no_longer_welcome_is_let_go_within_seconds(table: Table) -> None:
    wire = table.join()[1]
    table.is_welcome = False
    table.hub.round()
    assert wire.ended == ""
    table.clock.now += 5
    table.hub.round()
    assert wire.ended == "end"


def test_a_person_is_looked_up_once_for_all_their_streams(table: Table) -> None:
    wires = [table.join(owner=owner)[1] for owner in ("Ani", "Ani", "Budi")]
    table.is_welcome = False
    table.clock.now += 5
    table.hub.round()
    assert table.asked == 2
    assert [wire.ended for wire in wires] == ["end"] * 3


def test_who_may_not_see_the_page_cannot_have_it_made(table: Table) -> None:
    wire = table.join()[1]
    table.page = None
    table.hub.round()
    assert (wire.ended, wire.sent) == ("end", [])


def test_a_page_that_cannot_be_made_is_made_later(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    wire = table.join()[1]
    other = table.join("another list", render=lambda: str(1 / 0).encode())[1]
    table.hub.round()
    table.hub.round()
    assert wire.sent == [event(b"one")]
    assert (other.sent, other.ended) == ([], "")
    assert [r.getMessage() for r in caplog.records] == [
        "a live page cannot be made for now: ZeroDivisionError"
    ]


def test_there_is_room_for_so_many_and_no_more() -> None:
    table = Table(most=3, most_each=2)
    table.join(owner="Ani")
    table.join(owner="Ani")
    assert not table.hub.has_room("Ani")
    assert table.join(owner="Ani")[1].ended == "end"
    assert table.hub.has_room("Budi")
    table.join(owner="Budi")
    assert not table.hub.has_room("Siti")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a", b"data: a\n\n"),
        (b"a\nb", b"data: a\ndata: b\n\n"),
        (b"a\r\nb\rc\n\n", b"data: a\ndata: b\ndata: c\ndata: \ndata: \n\n"),
        ("a\u2028b\u0085c\x0b".encode(), "data: a\u2028b\u0085c\x0b\n\n".encode()),
        (b"", b"data: \n\n"),
    ],
)
def test_an_event_holds_any_lines(data: bytes, lines: bytes) -> None:
    assert event(data) == lines
