"""The command line as a script meets it: a process, its streams and what it leaves on disk."""

import stat
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.cli.conftest import PASSWORD, Outcome, Run
from tests.fakes.telegram import TOKEN
from tgm import create_app, database
from tgm.audit.models import AuditEntry
from tgm.auth import service as people
from tgm.auth.models import User
from tgm.auth.totp import totp_place
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import db, runtime
from tgm.security.vault import SealBroken, new_key
from tgm.settings import Settings

AddUser = Callable[..., Outcome]


def opened_token(given: dict[str, str]) -> str:
    """Return the only bot's token, opened with the environment's keys."""
    app = create_app(Settings.load(given, dotenv=None))
    try:
        with app.app_context():
            return bots.token_of(db.session.scalars(select(Bot)).one()).value
    finally:
        database.close(app)


def key_text() -> str:
    return b64encode(new_key()).decode()


def test_the_first_command_makes_secrets_and_database(process: Run, instance: Path) -> None:
    assert process("key", "list", "--json").json == {"keys": []}
    for name in ("secret_key", "encryption_keys"):
        assert stat.S_IMODE((instance / name).stat().st_mode) == 0o600
    assert (instance / "tgm.sqlite3").exists()


def test_a_script_pipes_secrets_in_and_reads_one_line(process: Run) -> None:
    added = process(
        "--json", "user", "add", "ani@example.com", "--role", "owner", "--password-stdin",
        stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert added.json["role"] == "owner"
    assert process("bot", "--json", "add", "--token-stdin", stdin=TOKEN).json["telegram_id"]
    assert process("key", "add", "Kasir", "--json").json["key"].startswith("tgm_live_")


@pytest.mark.parametrize(
    "args", [(), ("bot", "add"), ("key", "revoke", "1", "--json"), ("serve", TOKEN)]
)
def test_an_error_is_one_plain_line_and_exit_code_1(process: Run, args: tuple[str, ...]) -> None:
    assert process(*args).error


def test_serving_with_a_bad_setting_is_an_error_like_any_other(process: Run) -> None:
    assert "THREADS" in process("serve", THREADS="1").error


def test_secrets_are_sealed_anew_under_the_environments_newest_key(
    run: Run, add_user: AddUser, given: dict[str, str]
) -> None:
    old, new = key_text(), key_text()
    given["ENCRYPTION_KEYS"] = old
    add_user("owner@example.com")
    run("bot", "add", "--token-stdin", stdin=TOKEN)
    given["ENCRYPTION_KEYS"] = f"{new},{old}"
    assert run("rotate-keys", "--json").json == {
        "resealed": 1,
        "bots": 1,
        "users": 0,
        "endpoints": 0,
    }
    given["ENCRYPTION_KEYS"] = new
    assert opened_token(given) == TOKEN
    given["ENCRYPTION_KEYS"] = old
    with pytest.raises(SealBroken):
        opened_token(given)


def test_a_missing_key_seals_nothing_anew(
    run: Run, add_user: AddUser, given: dict[str, str]
) -> None:
    old, new = key_text(), key_text()
    given["ENCRYPTION_KEYS"] = old
    add_user("owner@example.com")
    run("bot", "add", "--token-stdin", stdin=TOKEN)
    given["ENCRYPTION_KEYS"] = new
    assert "is not among ENCRYPTION_KEYS" in run("rotate-keys").error
    given["ENCRYPTION_KEYS"] = old
    assert opened_token(given) == TOKEN


def test_a_new_key_is_made_in_the_instance(
    run: Run, set_up: None, given: dict[str, str], instance: Path
) -> None:
    run("bot", "add", "--token-stdin", stdin=TOKEN)
    path = instance / "encryption_keys"
    before = path.read_text().split()
    assert run("rotate-keys", "--new-key", "--json").json["bots"] == 1
    after = path.read_text().split()
    assert after[1:] == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text(after[0])
    assert opened_token(given) == TOKEN


def test_the_secrets_of_two_step_sign_in_are_sealed_anew_too(
    run: Run, set_up: None, given: dict[str, str]
) -> None:
    app = create_app(Settings.load(given, dotenv=None))
    with app.app_context():
        with database.writing() as session:
            user = session.scalars(select(User)).one()
            place = totp_place(user.id)
            user.sealed_totp = runtime.vault.seal("totp secret", place=place)
        outcome = run("rotate-keys", "--new-key", "--json")
        assert outcome.json == {"resealed": 1, "bots": 0, "users": 1, "endpoints": 0}
        db.session.rollback()
        sealed = db.session.scalars(select(User.sealed_totp)).one()
        assert sealed is not None
        assert sealed != user.sealed_totp
        assert runtime.vault.open(sealed, place=place) == "totp secret"
    database.close(app)


def test_a_running_server_goes_on_after_a_rotation(
    run: Run, set_up: None, given: dict[str, str]
) -> None:
    run("bot", "add", "--token-stdin", stdin=TOKEN)
    app = create_app(Settings.load(given, dotenv=None))
    with app.app_context():
        (before,) = runtime.snapshot.current().bots.values()
        assert run("rotate-keys", "--new-key").code == 0
        # As the next check would: it finds a higher revision.
        runtime.snapshot.drop()
        (after,) = runtime.snapshot.current().bots.values()
        assert after.sealed_token != before.sealed_token
        assert runtime.vault.open(after.sealed_token, place=after.token_place) == TOKEN
    database.close(app)


def test_a_new_key_is_not_made_where_the_environment_gives_them(
    run: Run, set_up: None, instance: Path
) -> None:
    before = (instance / "encryption_keys").read_text()
    error = run("rotate-keys", "--new-key", ENCRYPTION_KEYS=key_text()).error
    assert "ENCRYPTION_KEYS" in error
    assert (instance / "encryption_keys").read_text() == before


def test_rotation_is_in_the_audit_log(run: Run, set_up: None, given: dict[str, str]) -> None:
    run("rotate-keys", "--new-key")
    app = create_app(Settings.load(given, dotenv=None))
    with app.app_context():
        query = select(AuditEntry).where(AuditEntry.action == "encryption_keys.rotated")
        (entry,) = db.session.scalars(query)
        assert entry.team_id == people.only_team().id
    database.close(app)
