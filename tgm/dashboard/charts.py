"""The charts that the server draws: which bars there are, and where. Templates do the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from babel.dates import get_timezone
from ulid import ULID

from tgm.dashboard import axes
from tgm.i18n import chosen_zone
from tgm.proxy import figures as calls
from tgm.proxy.figures import Outcome as Ended
from tgm.shared.errors import N_
from tgm.shared.spans import HOUR, SPANS, Span
from tgm.webhook import figures as deliveries
from tgm.webhook.figure_models import Outcome

DEFAULT_SPAN = "24h"
SPAN_LABELS = {"1h": N_("1 hour"), "24h": N_("24 hours"), "7d": N_("7 days"), "30d": N_("30 days")}

# Look and label of each part, in the order in which they are stacked, the lowest first.
_CALLS = {
    Ended.DONE: ("solid", N_("Telegram: done")),
    Ended.TELEGRAM_ERROR: ("hatch", N_("Telegram: error")),
    Ended.REFUSED: ("dots", N_("TGM: refused")),
    Ended.FAILED: ("cross", N_("TGM: failed")),
}
_DELIVERIES = {
    Outcome.DELIVERED: ("solid", N_("Delivered")),
    Outcome.FAILED: ("hatch", N_("Failed, tried again")),
    Outcome.GIVEN_UP: ("cross", N_("Given up")),
}
# The part of a column's width that its bar takes.
_BAR = 0.76


@dataclass(frozen=True)
class Part:
    """What one pattern stands for. `look` names the pattern; `total` is the sum of the span."""

    look: str
    label: str
    total: int


@dataclass(frozen=True)
class Bar:
    """A piece of a stack, in percent of the chart's height; `y` is its upper edge, from the top."""

    look: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """One piece of time. `x` and `width` are its bar's, in percent; `left` and `room` its own.

    `label` says whether its time stands below: `major`, `minor` or nothing.
    """

    at: datetime
    left: float
    room: float
    x: float
    width: float
    label: str


@dataclass(frozen=True)
class Stack(Column):
    """A column with its counts, one for each part, and their bars."""

    values: tuple[int, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Range(Column):
    """A column with milliseconds and where they stand, from the top; None where nothing arrived."""

    mean: int | None
    slowest: int | None
    mean_y: float
    slowest_y: float

    @property
    def centre(self) -> float:
        """The middle of the column."""
        return round(self.x + self.width / 2, 3)


@dataclass(frozen=True)
class Bars:
    """Stacked bars. `ticks` stand from the top down, all equally far apart."""

    parts: tuple[Part, ...]
    columns: tuple[Stack, ...]
    ticks: tuple[int, ...]

    @property
    def total(self) -> int:
        """The sum of all that is shown."""
        return sum(part.total for part in self.parts)


@dataclass(frozen=True)
class Times:
    """Mean and slowest times. `ticks` are milliseconds, from the top down."""

    columns: tuple[Range, ...]
    ticks: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing arrived."""
        return all(column.mean is None for column in self.columns)


@dataclass(frozen=True)
class Charts:
    """What the home screen draws. `axis` and `full` are patterns for a column's time.

    `mean` is the time to deliver over the whole span, in milliseconds; None where nothing arrived.
    """

    span: str
    spans: Mapping[str, str]
    axis: str
    full: str
    calls: Bars
    deliveries: Bars
    times: Times
    mean: int | None

    @property
    def slowest(self) -> int | None:
        """The longest time to deliver, in milliseconds."""
        return max(
            (each.slowest for each in self.times.columns if each.slowest is not None), default=None
        )


@dataclass(frozen=True)
class Sparkline:
    """A few bars in a box of 96 by 24: x, y and height of each that is not nothing."""

    counts: tuple[int, ...]
    bars: tuple[tuple[float, float, float], ...]
    width: float

    @property
    def total(self) -> int:
        """The sum of the counts."""
        return sum(self.counts)


def for_home(team_id: ULID, span: str, now: datetime) -> Charts:
    """Return a team's charts, in the reader's time zone. An unknown span is the usual one."""
    chosen, zone = SPANS.get(span, SPANS[DEFAULT_SPAN]), get_timezone(chosen_zone())
    called = calls.series(team_id, chosen, now, zone)
    delivered = deliveries.series(team_id, chosen, now, zone)
    columns = _columns(chosen, called.starts, zone)
    return Charts(
        chosen.name,
        SPAN_LABELS,
        axis="HH:mm" if chosen.seconds <= HOUR else "d MMM",
        full="EEE d MMM" if chosen.seconds > 6 * HOUR else "d MMM HH:mm",
        calls=stacked(columns, [(*part, called.counts[key]) for key, part in _CALLS.items()]),
        deliveries=stacked(
            columns, [(*part, delivered.counts[key]) for key, part in _DELIVERIES.items()]
        ),
        times=timed(columns, delivered.mean, delivered.slowest),
        mean=delivered.mean_of_all,
    )


def _columns(span: Span, begun: Sequence[datetime], zone: tzinfo) -> list[Column]:
    room = 100 / span.count
    labels = axes.labelled(span.name, (at.astimezone(zone) for at in begun))
    return [
        Column(
            at,
            left=round(place * room, 3),
            room=round(room, 3),
            x=round((place + (1 - _BAR) / 2) * room, 3),
            width=round(_BAR * room, 3),
            label=label,
        )
        for place, (at, label) in enumerate(zip(begun, labels, strict=True))
    ]


def stacked(columns: Sequence[Column], counts: Sequence[tuple[str, str, Sequence[int]]]) -> Bars:
    """Return a chart of bars. `counts` holds look, label and a count for each column, by part."""
    parts = tuple(Part(look, label, sum(values)) for look, label, values in counts)
    by_column = [tuple(values) for values in zip(*(each for _, _, each in counts), strict=True)]
    scale = axes.ticks(max(sum(values) for values in by_column))
    stacks = []
    for column, values in zip(columns, by_column, strict=True):
        y, bars = 100.0, []
        for part, height in zip(parts, axes.heights(values, scale[-1]), strict=True):
            y -= height
            if height:
                bars.append(Bar(part.look, round(max(y, 0), 3), round(height, 3)))
        stacks.append(Stack(**vars(column), values=values, bars=tuple(bars)))
    return Bars(parts, tuple(stacks), scale[::-1])


def timed(
    columns: Sequence[Column], mean: Sequence[int | None], slowest: Sequence[int | None]
) -> Times:
    """Return a chart of mean and slowest times, on a scale on which each step is a multiple."""
    known = [each for each in (*mean, *slowest) if each is not None]
    scale = axes.duration_ticks(min(known, default=10), max(known, default=1000))

    def place(milliseconds: int | None) -> float:
        height = 0.0 if milliseconds is None else axes.duration_height(milliseconds, scale)
        return round(100 - height, 3)

    ranges = tuple(
        Range(**vars(column), mean=one, slowest=top, mean_y=place(one), slowest_y=place(top))
        for column, one, top in zip(columns, mean, slowest, strict=True)
    )
    return Times(ranges, scale[::-1])


def sparkline(counts: Sequence[int]) -> Sparkline:
    """Return a line of bars, the oldest first; the highest fills the box."""
    most, room = max(counts, default=0) or 1, 96 / max(len(counts), 1)
    bars = []
    for place, count in enumerate(counts):
        if count:
            height = round(max(2.0, count * 23 / most), 2)
            bars.append((round(place * room, 2), round(24 - height, 2), height))
    return Sparkline(tuple(counts), tuple(bars), round(room * _BAR, 2))
