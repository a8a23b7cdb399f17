"""People on the command line: the first user, and the way back in for a team without mail."""

import click

from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.auth.people import UserRow
from tgm.auth.roles import Role
from tgm.cli.frame import Group, answer, application, iso, line_from_stdin, table, team_option

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group(cls=Group)
def user() -> None:
    """Add, list and remove people, and let them back in."""


@user.command()
@click.argument("email")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@password_option
@team_option
def add(email: str, role: str, password_stdin: bool, team: str | None) -> None:
    """Add a person to a team. The very first one makes the team, named as --team says."""
    password = line_from_stdin(password_stdin, "--password-stdin")
    with application():
        if team is not None and role == Role.OWNER and not people.has_users():
            user_id = people.set_up(email, password, team, COMMAND_LINE).id
        else:
            team_id = None if team is None else people.find_team(team).id
            user_id = people.add_user(email, password, Role(role), team_id, COMMAND_LINE).id
        row = next(row for row in people.list_users() if row.id == user_id)
        facts = {"id": str(row.id), "email": row.email, "role": row.role.value, "team": row.team}
        answer(facts, f"Added {row.email} to “{row.team}” as {row.role.value}.")


@user.command("list")
@team_option
def list_(team: str | None) -> None:
    """List the people of a team, or of every team."""
    with application():
        rows = people.list_users(None if team is None else people.find_team(team).id)
        cells = [(row.id, row.email, row.role.value, row.team) for row in rows]
        answer(
            {"users": [_row(row) for row in rows]},
            table(("ID", "EMAIL", "ROLE", "TEAM"), cells) if rows else "No users yet.",
        )


@user.command("reset-password")
@click.argument("email")
@password_option
def reset_password(email: str, password_stdin: bool) -> None:
    """Give a person a new password and sign them out everywhere."""
    password = line_from_stdin(password_stdin, "--password-stdin")
    with application():
        people.reset_password(email, password, COMMAND_LINE)
        answer({"email": email}, f"{email} can sign in with the new password.")


@user.command("disable-totp")
@click.argument("email")
def disable_totp(email: str) -> None:
    """Turn a person's two-step sign-in off."""
    with application():
        people.disable_totp(email, COMMAND_LINE)
        answer({"email": email}, f"{email} signs in with the password alone.")


@user.command()
@click.argument("email")
@team_option
def remove(email: str, team: str | None) -> None:
    """Remove a person from a team, or from every one."""
    with application():
        people.remove_user(email, team, COMMAND_LINE)
        answer({"email": email}, f"Removed {email}.")


def _row(row: UserRow) -> dict[str, object]:
    return {
        "id": str(row.id),
        "name": row.email,
        "email": row.email,
        "role": row.role.value,
        "team": row.team,
        "totp": row.has_totp,
        "signed_in_at": iso(row.signed_in_at),
    }
