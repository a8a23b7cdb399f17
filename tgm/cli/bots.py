"""Bots on the command line."""

import click

from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.cli.frame import (
    Group,
    answer,
    application,
    chosen_team,
    iso,
    line_from_stdin,
    table,
    team_option,
)


@click.group(cls=Group)
def bot() -> None:
    """Add and list bots."""


@bot.command()
@click.option("--token-stdin", is_flag=True, help="Read BotFather's token from standard input.")
@click.option("--name", help="The bot's name in TGM; its name at Telegram unless given.")
@team_option
def add(token_stdin: bool, name: str | None, team: str | None) -> None:
    """Add a bot by its token, after asking Telegram whose it is."""
    token = line_from_stdin(token_stdin, "--token-stdin")
    with application():
        added = bots.add(chosen_team(team).id, token, name, COMMAND_LINE)
        answer(_row(added), f"Added {added.name} (@{added.username}). Its id is {added.id}.")


@bot.command("list")
@team_option
def list_(team: str | None) -> None:
    """List a team's bots."""
    with application():
        nobody = team is None and not people.has_users()
        found = [] if nobody else bots.of_team(chosen_team(team).id)
        cells = [
            (bot.id, bot.name, f"@{bot.username}", "disabled" if bot.is_disabled else "enabled")
            for bot in found
        ]
        answer(
            {"bots": [_row(bot) for bot in found]},
            table(("ID", "NAME", "USERNAME", "STATE"), cells) if cells else "No bots yet.",
        )


def _row(bot: Bot) -> dict[str, object]:
    return {
        "id": str(bot.id),
        "telegram_id": bot.telegram_id,
        "username": bot.username,
        "name": bot.name,
        "state": "disabled" if bot.is_disabled else "enabled",
        "created_at": iso(bot.created_at),
    }
