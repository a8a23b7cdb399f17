"""Bots on the command line."""

import time

import click
from ulid import ULID

from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.bots.moves import Problem
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
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict
from tgm.webhook import mover, moving

_LOOK_SECONDS = 0.2
_LONGEST_PAUSE = 5.0
_HOW_ON = (
    "Nothing is lost. A serving TGM tries again every minute; run the same command again to do so"
    " now, or with --back to return"
)


@click.group(cls=Group)
def bot() -> None:
    """Add, list and move bots."""


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


@bot.command()
@click.argument("bot_id", metavar="ID")
@click.option("--to", "address", metavar="URL", help="The Bot API server's address.")
@click.option("--back", is_flag=True, help="Turn a move back that is under way.")
@click.option(
    "--leave-behind", is_flag=True, help="Go on without the old server: it does not answer."
)
@click.option("--no-wait", is_flag=True, help="Do not wait where Telegram asks for it.")
def move(bot_id: str, address: str | None, back: bool, leave_behind: bool, no_wait: bool) -> None:
    """Move a bot to another Bot API server, or go on with that. ID may be its @username."""
    if (address is None) is not (back or leave_behind) or (back and leave_behind):
        raise click.UsageError("Say where --to move it, or --back, or --leave-behind.")
    with application():
        found = bots.anywhere(bot_id)
        if address is not None:
            moving.start(found.team_id, found.id, address, COMMAND_LINE)
        elif back:
            moving.turn_back(found.team_id, found.id, COMMAND_LINE)
        else:
            moving.leave_behind(found.team_id, found.id, COMMAND_LINE)
        _arrive(found.id, may_wait=not no_wait)
        moved = bots.anywhere(str(found.id))
        server = moving.server_of(moved.api_base_url)
        answer(_row(moved), f"{moved.name} (@{moved.username}) is at {server}.")


def _arrive(bot_id: ULID, *, may_wait: bool) -> None:
    """Go on with the move until the bot is there. Raises Conflict where a person must decide."""
    told = None
    while True:
        mover.advance(bot_id, utcnow())
        move = moving.of_bot(bot_id)
        if move is None:
            return
        said = moving.situation(move)
        if move.problem != Problem.WAIT and move.leased_until is None:
            raise Conflict("%(said)s. " + _HOW_ON, said=said)
        if not may_wait:
            raise Conflict("%(said)s. Run the same command again to go on.", said=said)
        if said != told:
            told = said
            click.echo(f"{said}. Waiting …", err=True)
        pause = (move.next_at - utcnow()).total_seconds()
        # A serving TGM goes on with it, too, and may be quicker.
        time.sleep(min(max(pause, _LOOK_SECONDS), _LONGEST_PAUSE))


@bot.command()
@click.argument("bot_id")
@click.argument("switch", type=click.Choice(["on", "off"]))
def pace(bot_id: str, switch: str) -> None:
    """Keep a bot's calls to Telegram's published pace, or let them go out as they come."""
    with application():
        found = bots.anywhere(bot_id)
        changed = bots.keep_pace(found.team_id, found.id, switch == "on", COMMAND_LINE)
        answer(_row(changed), f"{changed.name} keeps Telegram's pace: {switch}.")


def _row(bot: Bot) -> dict[str, object]:
    return {
        "id": str(bot.id),
        "telegram_id": bot.telegram_id,
        "username": bot.username,
        "name": bot.name,
        "server": moving.server_of(bot.api_base_url),
        "state": "disabled" if bot.is_disabled else "enabled",
        "keeps_pace": bot.keeps_pace,
        "created_at": iso(bot.created_at),
    }
