"""API keys on the command line."""

from collections.abc import Sequence

import click
from ulid import ULID

from tgm.audit.service import COMMAND_LINE
from tgm.auth import service as people
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.cli.frame import Group, answer, application, chosen_team, iso, table, team_option
from tgm.keys import service as keys
from tgm.keys.models import ApiKey
from tgm.keys.rights import Rights, in_days
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, NotFound
from tgm.shared.ids import parse_id


@click.group(cls=Group)
def key() -> None:
    """Make, list and revoke API keys."""


@key.command()
@click.argument("name")
@click.option("--bot", "chosen", multiple=True, metavar="ID", help="A bot it may use; repeatable.")
@click.option("--methods", multiple=True, metavar="PATTERN", help="Such as send*; repeatable.")
@click.option("--per-minute", type=int, metavar="N", help="A rate of its own.")
@click.option("--expires", type=int, metavar="DAYS", help="How many days it works.")
@team_option
def add(
    name: str,
    chosen: tuple[str, ...],
    methods: tuple[str, ...],
    per_minute: int | None,
    expires: int | None,
    team: str | None,
) -> None:
    """Make an API key and print it, once. Without options it may use all bots and methods."""
    with application():
        team_id = chosen_team(team).id
        rights = Rights(
            name,
            bot_ids=_bot_ids(team_id, chosen) if chosen else None,
            methods=" ".join(methods),
            per_minute=per_minute,
            expires_at=None if expires is None else in_days(expires, utcnow()),
        )
        made, secret = keys.make(team_id, rights, COMMAND_LINE)
        facts = {"id": str(made.id), "key": secret.value, "name": made.name}
        answer(
            facts, f"{secret.value}\n\nThis is the key. It is not shown again. Its id: {made.id}"
        )


@key.command("list")
@team_option
def list_(team: str | None) -> None:
    """List a team's API keys."""
    with application():
        if team is None and not people.has_users():
            return answer({"keys": []}, "No API keys yet.")
        team_id = chosen_team(team).id
        chosen = keys.chosen_bots(team_id)
        rows = [_row(key, chosen.get(key.id, ())) for key in keys.of_team(team_id)]
        columns = ("id", "name", "last_four", "state", "methods", "expires_at", "last_used_at")
        cells = [[_cell(row[column]) for column in columns] for row in rows]
        heads = [column.upper().replace("_", " ") for column in columns]
        return answer({"keys": rows}, table(heads, cells) if rows else "No API keys yet.")


@key.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Refuse a key from now on, for ever."""
    with application():
        found = parse_id(key_id)
        if found is None:
            raise NotFound(N_("There is no such API key."))
        revoked = keys.revoke(keys.anywhere(found).team_id, found, COMMAND_LINE)
        answer(
            {"id": str(revoked.id), "name": revoked.name, "state": "revoked"},
            f"Revoked {revoked.name} ({revoked.hint}).",
        )


def _bot_ids(team_id: ULID, texts: Sequence[str]) -> frozenset[ULID]:
    """Return the bots named by id or @username. Raises NotFound."""
    names = {f"@{bot.username}".lower(): bot.id for bot in bots.of_team(team_id)}
    found = [parse_id(text) or names.get(text.lower()) for text in texts]
    if None in found:
        raise NotFound(N_("There is no such bot."))
    return frozenset(bot_id for bot_id in found if bot_id is not None)


def _row(key: ApiKey, chosen: Sequence[Bot]) -> dict[str, object]:
    return {
        "id": str(key.id),
        "name": key.name,
        "last_four": key.last_four,
        "state": str(key.state(utcnow())),
        "all_bots": key.all_bots,
        "bots": [str(bot.id) for bot in chosen],
        "methods": list(key.patterns),
        "per_minute": key.per_minute,
        "created_at": iso(key.created_at),
        "expires_at": iso(key.expires_at),
        "last_used_at": iso(key.last_used_at),
    }


def _cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "-" if value is None else value
