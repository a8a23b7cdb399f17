"""The charts show what was counted, to eyes and to a screen reader alike."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select
from ulid import ULID

from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.webhook.rows import make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.dashboard import charts
from tgm.dashboard.charts import Column
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.proxy.models import RequestLogEntry
from tgm.proxy.requestlog import LogRow
from tgm.shared.clock import utcnow
from tgm.shared.spans import SPANS
from tgm.webhook import counting
from tgm.webhook.models import State
from tgm.webhook.recording import Ended

COUNT = st.integers(0, 10**9)


def columns(count: int) -> list[Column]:
    begun = datetime(2026, 11, 21, tzinfo=UTC)
    room = 100 / count
    return [
        Column(begun + timedelta(hours=place), place * room, room, place * room, room / 2, "")
        for place in range(count)
    ]


@given(st.lists(st.tuples(COUNT, COUNT, COUNT), min_size=1, max_size=30))
def test_bars_show_all_that_was_counted(counted: list[tuple[int, int, int]]) -> None:
    by_part = list(zip(*counted, strict=True))
    parts = [(look, look, by_part[place]) for place, look in enumerate(("solid", "hatch", "cross"))]
    bars = charts.stacked(columns(len(counted)), parts)
    assert bars.total == sum(map(sum, counted))
    assert [part.total for part in bars.parts] == [sum(each) for each in by_part]
    assert bars.ticks[-1] == 0
    for column, values in zip(bars.columns, counted, strict=True):
        assert column.values == values
        assert len(column.bars) == sum(map(bool, values))
        below = 100.0
        for bar in column.bars:
            assert bar.y >= 0
            assert bar.height > 0
            assert bar.y + bar.height == pytest.approx(below, abs=0.01)
            below = bar.y


MAYBE = st.none() | st.integers(0, 10**9)


@given(st.lists(st.tuples(MAYBE, st.integers(0, 10**9)), min_size=1, max_size=30))
def test_times_stand_inside_and_the_slowest_above_the_mean(
    found: list[tuple[int | None, int]],
) -> None:
    mean = [one for one, _ in found]
    slowest = [None if one is None else one + more for one, more in found]
    times = charts.timed(columns(len(found)), mean, slowest)
    assert times.is_empty == (set(mean) == {None})
    for column in times.columns:
        assert 0 <= column.slowest_y <= column.mean_y <= 100


@given(st.lists(st.integers(0, 10**9), max_size=24))
def test_a_sparkline_stays_in_its_box(counts: list[int]) -> None:
    line = charts.sparkline(counts)
    assert line.total == sum(counts)
    assert len(line.bars) == sum(map(bool, counts))
    for x, y, height in line.bars:
        assert 0 <= x <= 96 - line.width
        assert 0 < y < 24
        assert 2 <= height <= 23
        assert y + height == pytest.approx(24)


def test_a_sparkline_is_said_in_words(app: Flask) -> None:
    template = """{% from "dashboard/_chart.html" import sparkline with context %}
        {{ sparkline(line, "3 <calls>") }}"""
    with app.test_request_context():
        text = render_template_string(template, line=charts.sparkline([0, 1, 2]))
    assert 'role="img" aria-label="3 &lt;calls&gt;"' in text
    assert "<title>3 &lt;calls&gt;</title>" in text
    assert text.count("<rect") == 2


@pytest.fixture
def team(owner: Person) -> ULID:
    return owner.places[0].team_id


@pytest.fixture
def bot(team: ULID, telegram: FakeTelegram) -> Bot:
    return bots.add(team, TOKEN, None, COMMAND_LINE)


@pytest.fixture
def traffic(team: ULID, bot: Bot) -> datetime:
    """A month of calls and deliveries; returns its end."""
    now = utcnow()
    answers = [("telegram", 200), ("telegram", 400), ("gateway", 429), ("gateway", 502)]
    for number in range(400):
        source, status = answers[number % 7 % 4]
        at = now - timedelta(minutes=number * number / 4)
        row = LogRow(
            at, str(team), str(bot.id), str(ULID()), "getMe", source, status, 0, 0, 1, None
        )
        runtime.request_log.add(row)
    runtime.request_log.flush()
    endpoint = make_endpoint(bot.id)
    states = [State.DELIVERED, State.DELIVERED, State.DUE, State.DEAD]
    ended = [
        (
            Ended(number, str(endpoint.id), now, {}, states[number % 4], None, None, None),
            now - timedelta(milliseconds=number),
        )
        for number in range(40)
    ]
    with db.engines[WRITER].begin() as connection:
        counting.note(connection, ended)
    return now


@pytest.fixture
def asked(app: Flask) -> Iterator[list[str]]:
    """What is asked of the database."""
    found: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(db.engine, "before_cursor_execute", listen)
    yield found
    event.remove(db.engine, "before_cursor_execute", listen)


@pytest.mark.parametrize("span", list(SPANS))
def test_the_sums_are_those_of_the_raw_rows(
    app: Flask, team: ULID, traffic: datetime, span: str
) -> None:
    with app.test_request_context():
        drawn = charts.for_home(team, span, traffic)
    since = drawn.calls.columns[0].at
    log = RequestLogEntry
    query = select(func.count()).select_from(log).where(log.team_id == team, log.at >= since)
    assert drawn.span == span
    assert drawn.calls.total == db.session.scalar(query)
    assert [part.total for part in drawn.deliveries.parts] == [20, 10, 10]
    assert drawn.mean == 18
    assert drawn.slowest == 37


@pytest.mark.parametrize("span", list(SPANS))
def test_drawing_reads_figures_only(
    app: Flask, team: ULID, traffic: datetime, asked: list[str], span: str
) -> None:
    asked.clear()
    with app.test_request_context():
        charts.for_home(team, span, traffic)
    selects = [each for each in asked if each.startswith("SELECT")]
    tables = sorted(re.findall(r"FROM (\w+)", " ".join(selects)))
    assert tables == ["delivery_figures", "request_figures"]


def test_an_unknown_span_is_the_usual_one(app: Flask, team: ULID) -> None:
    with app.test_request_context():
        assert charts.for_home(team, "<script>", utcnow()).span == "24h"


def test_days_are_the_readers(app: Flask, team: ULID) -> None:
    now = datetime(2026, 11, 21, 18, tzinfo=UTC)
    with app.test_request_context(headers={"Cookie": "tgm_zone=Asia%2FJakarta"}):
        drawn = charts.for_home(team, "30d", now)
    # In Jakarta it is one o'clock on the 22nd.
    assert drawn.calls.columns[-1].at == datetime(2026, 11, 21, 17, tzinfo=UTC)


class Tables(HTMLParser):
    """Reads the numbers out of a page's tables of figures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.captions: list[str] = []
        self.sums: list[int] = []
        self._cell = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._cell = tag
        if tag == "table":
            self.sums.append(0)

    def handle_endtag(self, tag: str) -> None:
        self._cell = ""

    def handle_data(self, data: str) -> None:
        if self._cell == "caption":
            self.captions.append(data)
        if self._cell == "td" and data.strip().isdecimal():
            self.sums[-1] += int(data)


def test_the_page_holds_the_figures_as_tables(
    signed_in: FlaskClient, team: ULID, traffic: datetime
) -> None:
    text = signed_in.get("/dashboard/?span=30d").text
    section = text.partition('<section class="charts"')[2].partition("</section>")[0]
    tables = Tables(section)
    assert tables.captions == ["Calls", "Deliveries", "Time to deliver"]
    with signed_in.application.test_request_context():
        assert tables.sums[0] == charts.for_home(team, "30d", traffic).calls.total
    assert tables.sums[1] == 40
    assert section.count('role="img"') == 3
    for look in ("solid", "hatch", "dots", "cross"):
        assert f'fill="url(#calls-{look})"' in section
        assert f'id="calls-{look}"' in section


def test_the_span_is_chosen_by_a_link(signed_in: FlaskClient, traffic: datetime) -> None:
    text = signed_in.get("/dashboard/?span=7d").text
    links = re.findall(r'<a href="(/dashboard/\?span=\w+)"[^>]*?(aria-current="true")?>', text)
    assert links == [
        ("/dashboard/?span=1h", ""),
        ("/dashboard/?span=24h", ""),
        ("/dashboard/?span=7d", 'aria-current="true"'),
        ("/dashboard/?span=30d", ""),
    ]


def test_without_traffic_a_chart_says_where_it_comes_from(signed_in: FlaskClient, bot: Bot) -> None:
    text = signed_in.get("/dashboard/").text
    assert "No calls in this time." in text
    assert "No deliveries in this time." in text
    assert "Nothing was delivered in this time." in text
    assert 'class="chart-drawing"' not in text
