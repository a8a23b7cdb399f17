"""Teams on the command line. The first one comes with the first user."""

import click

from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.cli.frame import Group, answer, application, table


@click.group(cls=Group)
def team() -> None:
    """Add and list teams. Bots and API keys belong to one."""


@team.command()
@click.argument("name")
def add(name: str) -> None:
    """Add a further team. Its first owner: user add EMAIL --role owner --team NAME."""
    with application():
        made = people.add_team(name, COMMAND_LINE)
        answer({"id": str(made.id), "name": made.name}, f"Added the team “{made.name}”.")


@team.command("list")
def list_() -> None:
    """List the teams."""
    with application():
        rows = [{"id": str(each.id), "name": each.name} for each in people.list_teams()]
        cells = [tuple(row.values()) for row in rows]
        answer({"teams": rows}, table(("ID", "NAME"), cells) if rows else "No teams yet.")
