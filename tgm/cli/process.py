"""Serving, and sealing everything anew."""

from typing import IO, Any

import click
from sqlalchemy import select

from tgm import box, create_app, database, logs, secretfiles, server
from tgm.audit.service import COMMAND_LINE, record
from tgm.auth import service as people
from tgm.auth.models import Team
from tgm.bots import service as bots
from tgm.bots.change import changing
from tgm.cli.frame import Command, answer, application
from tgm.extensions import runtime
from tgm.processes import Place, Processes
from tgm.settings import Settings
from tgm.shared.boxfile import BoxFile
from tgm.webhook import endpoints


@click.command(cls=Command)
@click.option("--processes", metavar="N", help="Serve with so many processes on one address.")
@click.pass_obj
def serve(as_json: bool, processes: str | None) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    settings = Settings.load(words={} if processes is None else {"PROCESSES": processes})
    logs.configure(settings.log_level)
    box.spare_memory()
    place = Place()
    if settings.processes > 1:
        listener = server.listen(settings)
        BoxFile(settings.shared_path).mend()
        box.set_aside()
        # From here on this runs in each of them.
        place = Processes(settings.processes, listener).run()
    core = _pin(settings)
    app = create_app(settings, place.counts)
    database.migrate(app)
    server.serve(app, as_json=as_json, place=place)
    del core


@click.command(cls=Command)
def worker() -> None:
    """Deliver and poll without serving, beside processes that do, until Ctrl-C or SIGTERM."""
    settings = Settings.load()
    logs.configure(settings.log_level)
    box.spare_memory()
    core = _pin(settings)
    app = create_app(settings)
    database.migrate(app)
    server.work(app)
    del core


def _pin(settings: Settings) -> IO[str] | None:
    return box.pin(settings.instance_path / "cores") if settings.pin_to_core == "on" else None


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
