"""Serving, and sealing everything anew."""

from typing import Any

import click
from sqlalchemy import select

from tgm import create_app, database, logs, secretfiles, server
from tgm.audit.service import COMMAND_LINE, record
from tgm.auth import service as people
from tgm.auth.models import Team
from tgm.bots import service as bots
from tgm.bots.change import changing
from tgm.cli.frame import Command, answer, application
from tgm.extensions import runtime
from tgm.webhook import endpoints


@click.command(cls=Command)
@click.pass_obj
def serve(as_json: bool) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    app = create_app()
    logs.configure(app)
    database.migrate(app)
    server.serve(app, as_json=as_json)


@click.command(cls=Command)
def worker() -> None:
    """Deliver and poll without serving, beside processes that do, until Ctrl-C or SIGTERM."""
    app = create_app()
    logs.configure(app)
    database.migrate(app)
    server.work(app)


@click.command("rotate-keys", cls=Command)
@click.option("--new-key", is_flag=True, help="Make a new encryption key in the instance first.")
def rotate_keys(new_key: bool) -> None:
    """Seal every secret anew, under the newest encryption key."""
    with application():
        settings = runtime.settings
        if new_key:
            if settings.encryption_keys:
                raise click.UsageError(
                    "The environment gives ENCRYPTION_KEYS: put the new key in front of the others"
                    " there, then run rotate-keys without --new-key."
                )
            secretfiles.add_encryption_key(settings)
        # Not the running vault, which has not seen the new key.
        vault = secretfiles.vault(settings)
        with changing() as session:
            counts: dict[str, Any] = {
                "bots": bots.reseal(session, vault),
                "users": people.reseal(session, vault),
                "endpoints": endpoints.reseal(session, vault),
            }
            # It concerns the whole installation, so every team's log tells of it.
            for team_id in session.scalars(select(Team.id)).all():
                record(session, COMMAND_LINE, "encryption_keys.rotated", team_id=team_id, **counts)
        answer(
            {"resealed": sum(counts.values()), **counts},
            f"Sealed anew under the newest encryption key: {counts['bots']} bot tokens,"
            f" {counts['users']} secrets of two-step sign-in,"
            f" {counts['endpoints']} secrets of endpoints.",
        )
