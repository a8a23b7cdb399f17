"""What every command shares: an application to work in, secrets from standard input, answers."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from flask import Flask

from tgm import create_app, database
from tgm.auth import service as people
from tgm.auth.models import Team
from tgm.extensions import runtime

_LONGEST_LINE = 4096
team_option = click.option(
    "--team", metavar="TEAM", help="The team's name or id, where there are several."
)


class Command(click.Command):
    """A command that never repeats an argument it did not expect: it may be a password."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise click.UsageError("There is an argument too many.", ctx)
        return rest


class Group(click.Group):
    """A group of such commands. Called alone it is an error, not a help page."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"no_args_is_help": False, **kwargs})


@contextmanager
def application() -> Iterator[Flask]:
    """Work in an application whose secrets are made and whose database is migrated."""
    app = create_app()
    database.migrate(app)
    try:
        with app.app_context():
            yield app
            runtime.telegram.close()
    finally:
        database.close(app)


def chosen_team(text: str | None) -> Team:
    """Return the team that --team names, else the only one. Raises NotFound, Conflict."""
    return people.only_team() if text is None else people.find_team(text)


def line_from_stdin(given: bool, option: str) -> str:
    """Return the one line on standard input. `given` says whether `option` asked for it."""
    if not given:
        raise click.UsageError(f"Pass it on standard input, and {option}.")
    if sys.stdin is None:
        raise click.ClickException("Standard input is closed.")
    try:
        text = sys.stdin.buffer.read(_LONGEST_LINE + 2).decode()
    except UnicodeDecodeError:
        raise click.ClickException("What came on standard input is no UTF-8 text.") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line.strip():
        raise click.ClickException("Nothing came on standard input.")
    if len(line) > _LONGEST_LINE or "\n" in line:
        raise click.ClickException("Standard input must be one line.")
    return line


@click.pass_obj
def answer(as_json: bool, facts: dict[str, Any], text: str) -> None:
    """Print `facts` as one line of JSON when --json was given, else `text`."""
    print(json.dumps(facts) if as_json else text, flush=True)


def iso(when: datetime | None) -> str | None:
    """Return a time in ISO 8601, in UTC, None for one that has not come."""
    return None if when is None else when.isoformat(timespec="seconds")


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return lines of aligned columns."""
    texts = [list(heads), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )
