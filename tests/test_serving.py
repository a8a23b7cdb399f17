"""The whole program, run as a person runs it."""

import json
import signal
import socket
from pathlib import Path

import pytest
from flask import Flask

from tests.ending import PATIENCE, first_line
from tests.fakes import command
from tests.fakes.process import beginning, process, run
from tests.fakes.telegram import TOKEN
from tgm import server
from tgm.extensions import runtime
from tgm.settings import Settings


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_first_start_makes_what_it_needs_and_shows_the_way_in(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with process(environ, tmp_path / "log") as started:
        assert started.output.startswith("TGM is serving on http://127.0.0.1:")
        link = started.output.split()[-1]
        assert link.startswith(started.served.url + "/auth/setup/")
        target = link.removeprefix(started.served.url)
        assert started.served.call("GET", target).status == 200
        assert started.served.call("GET", target[:-1] + "x").status == 404
        for name in ("secret_key", "encryption_keys", "tgm.sqlite3"):
            assert mode(tmp_path / name) == 0o600, name
        token = target.rpartition("/")[2]
    assert token not in (tmp_path / "log").read_text()


def test_a_script_gets_address_and_link_as_json(environ: dict[str, str], tmp_path: Path) -> None:
    with process(environ, tmp_path / "log", "--json") as started:
        said = json.loads(started.output)
        assert len(started.output.splitlines()) == 1
    assert said["address"].startswith("http://127.0.0.1:")
    assert said["setup"].startswith(said["address"] + "/auth/setup/")


def test_once_there_is_a_user_no_link_is_shown(environ: dict[str, str], tmp_path: Path) -> None:
    added = command.run(
        "user", "add", "ani@example.com", "--role", "owner", "--password-stdin",
        environ=environ, stdin="a long enough password",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    with process(environ, tmp_path / "log") as started:
        assert "setup" not in started.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_quietly_when_told_to(
    environ: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    with process(environ, tmp_path / "log") as started:
        assert started.end(number) == 0
    assert (tmp_path / "log").read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_quietly_also_when_it_has_only_just_begun(
    environ: dict[str, str], number: signal.Signals
) -> None:
    for _ in range(3):
        with beginning(environ) as started:
            first_line(started)
            started.send_signal(number)
            assert started.wait(PATIENCE) == 0
            assert started.stderr is not None
            assert started.stderr.read() == ""


def test_what_was_logged_last_survives_the_end(environ: dict[str, str], tmp_path: Path) -> None:
    command.run("user", "add", "a@example.com", "--role", "owner", "--password-stdin",
        environ=environ, stdin="a long enough password")  # fmt: skip
    command.run("bot", "add", "--token-stdin", environ=environ, stdin=TOKEN)
    key = command.run("key", "add", "Program", environ=environ).stdout.split()[0]
    with process(environ, tmp_path / "log") as started:
        started.served.call("GET", "/api/v1/bots/x/getMe", headers={"X-API-Key": key})
        started.end()
    listed = command.run("key", "list", "--json", environ=environ).stdout
    assert '"last_used_at": null' not in listed


def test_a_bad_setting_stops_the_start_by_name(environ: dict[str, str]) -> None:
    ended = run("serve", environ={**environ, "PORT": "many"})
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: PORT: 'many' is not a whole number")
    assert "Example: PORT=8080" in ended.stderr


def test_a_taken_port_is_said_plainly(environ: dict[str, str], tmp_path: Path) -> None:
    with process(environ, tmp_path / "log") as started:
        port = str(started.served.address[1])
        ended = run("serve", environ={**environ, "PORT": port})
    assert ended.returncode == 1
    assert port in ended.stderr
    assert "Traceback" not in ended.stderr


def test_waitress_is_fitted_to_a_gateway(app: Flask) -> None:
    chosen = server.options(runtime.settings)
    assert chosen["connection_limit"] >= 2000
    assert chosen["asyncore_use_poll"] is True
    assert chosen["threads"] == runtime.settings.threads
    assert chosen["max_request_body_size"] > runtime.settings.max_upload_bytes


@pytest.mark.parametrize(("proxies", "cleared"), [("0", True), ("1", False)])
def test_forwarded_headers_reach_nobody_unless_a_proxy_is_trusted(
    environ: dict[str, str], proxies: str, cleared: bool
) -> None:
    settings = Settings.load({**environ, "TRUSTED_PROXIES": proxies}, dotenv=None)
    assert server.options(settings)["clear_untrusted_proxy_headers"] is cleared


def test_a_large_body_from_a_stranger_is_not_kept_on_disk(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with process(environ, tmp_path / "log") as started:
        with socket.create_connection(started.served.address, timeout=30) as stranger:
            head = "POST /auth/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n"
            stranger.sendall(head.encode() + b"x" * 20_000_000)
            # Answered only after what came before it on the same loop was taken in.
            assert started.served.call("GET", "/auth/sign-in").status == 200
            links = Path(f"/proc/{started.popen.pid}/fd").iterdir()
            kept = [size_if_deleted(link) for link in links]
        assert sum(kept) < 2_000_000


def size_if_deleted(descriptor: Path) -> int:
    try:
        return descriptor.stat().st_size if "(deleted)" in str(descriptor.readlink()) else 0
    except FileNotFoundError:
        # Closed meanwhile.
        return 0
