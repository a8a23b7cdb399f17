"""The command line: all that set-up needs, without a browser, so that scripts can."""

import logging
import sys
from collections.abc import Sequence

import click
from sqlalchemy.exc import DBAPIError

from tgm.cli import bots, keys, people, process, teams, webhook
from tgm.cli.frame import Group
from tgm.security.redaction import redact
from tgm.security.vault import SealBroken
from tgm.settings import BadSetting
from tgm.shared.errors import TgmError

_JSON = "--json"
# Without any handler, Python would print a library's warnings to standard error.
_SILENCE = logging.NullHandler()


@click.group(cls=Group, epilog="--json may stand anywhere, and prints one JSON object on one line.")
def tgm() -> None:
    """TGM, the Telegram Manager."""


for command in (
    process.serve,
    process.worker,
    teams.team,
    people.user,
    bots.bot,
    keys.key,
    webhook.webhook,
    process.rotate_keys,
):
    tgm.add_command(command)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command, sys.argv's unless `args` are given, and return the exit code."""
    words = list(sys.argv[1:] if args is None else args)
    logging.getLogger().addHandler(_SILENCE)
    try:
        tgm.main(
            [word for word in words if word != _JSON],
            prog_name="python -m tgm",
            standalone_mode=False,
            obj=_JSON in words,
        )
    except Exception as error:  # noqa: BLE001 - nothing may end in a traceback, which tells too much
        text = " ".join(redact(_sentence(error)).split())
        print(f"error: {text}", file=sys.stderr)
        return 1
    return 0


def _sentence(error: Exception) -> str:
    match error:
        case click.Abort():
            return "interrupted"
        case click.UsageError():
            return f"{error.format_message()} (See --help.)"
        case click.ClickException():
            return error.format_message()
        case TgmError():
            return error.description
        case BadSetting() | SealBroken() | OSError():
            return str(error)
        case DBAPIError():
            # Without the statement and its values.
            return f"the database refused: {error.orig}"
        case _:
            return f"something went wrong ({type(error).__name__})"
