"""What a run found: figures with their spread, beside what they are compared with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measure, taken several times."""

    values: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    @property
    def words(self) -> str:
        """It as the table shows it, its spread behind it."""
        middle = f"{_short(self.median)} {self.unit}"
        if len(self.values) == 1:
            return middle
        return f"{middle} ({_short(min(self.values))} to {_short(max(self.values))})"


@dataclass(frozen=True)
class Goal:
    """What a row is wanted to be, in words, and whether it is."""

    words: str
    is_met: bool


@dataclass(frozen=True)
class Row:
    """A line of a section's table. `ratios` tells by what the figure was divided by."""

    name: str
    figure: Figure
    ratios: Mapping[str, float] = field(default_factory=dict)
    goal: Goal | None = None
    note: str = ""


@dataclass
class Section:
    """A table of the report. `void` holds the reasons why its figures do not count."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    void: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return it as Markdown."""
        lines = [f"## {self.title}", ""]
        lines += [f"**Void:** {reason}\n" for reason in self.void]
        lines += ["| What | Median (lowest to highest) | Ratio | Goal | |", "|---|--:|--:|---|---|"]
        lines += [_line(row) for row in self.rows]
        lines += [f"\n{note}" for note in self.notes]
        return "\n".join(lines) + "\n"

    def facts(self) -> dict[str, Any]:
        """Return it as it goes into the JSON."""
        return {
            "title": self.title,
            "void": self.void,
            "notes": self.notes,
            "rows": [
                {
                    "name": row.name,
                    "unit": row.figure.unit,
                    "median": row.figure.median,
                    "values": row.figure.values,
                    "ratios": dict(row.ratios),
                    "goal": None if row.goal is None else row.goal.words,
                    "is_met": None if row.goal is None else row.goal.is_met,
                    "note": row.note,
                }
                for row in self.rows
            ],
        }


def at_least(value: float, wanted: float, of: str) -> Goal:
    """Return the goal of a ratio that should not be smaller."""
    return Goal(f"≥ {_short(wanted)} {of}".strip(), value >= wanted)


def at_most(value: float, wanted: float, of: str) -> Goal:
    """Return the goal of a figure that should not be larger."""
    return Goal(f"≤ {_short(wanted)} {of}".strip(), value <= wanted)


def write(
    folder: Path, name: str, machine: Mapping[str, str], sections: Sequence[Section]
) -> tuple[Path, Path]:
    """Write the report as Markdown and as JSON; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    table, facts = folder / f"{name}.md", folder / f"{name}.json"
    head = ["# Measurements", "", *(f"- {key}: {value}" for key, value in machine.items()), ""]
    table.write_text("\n".join([*head, *(section.markdown() for section in sections)]))
    content = {"machine": dict(machine), "sections": [section.facts() for section in sections]}
    facts.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return table, facts


def _line(row: Row) -> str:
    ratios = "<br>".join(f"{_short(value)} of {of}" for of, value in row.ratios.items())
    goal = "" if row.goal is None else f"{row.goal.words}: {'met' if row.goal.is_met else '**no**'}"
    return f"| {row.name} | {row.figure.words} | {ratios} | {goal} | {row.note} |"


def _short(value: float) -> str:
    """Return a number with three places that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3f}"
