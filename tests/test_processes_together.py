"""What several processes do with one another's updates: deliver all of them, and show them."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from ulid import ULID

from tests.crash.feeder import Address, Feeder
from tests.crash.receiver import Receiver
from tests.fakes.process import process
from tests.fakes.receiver import Receiver as Answering
from tests.fakes.receiver import answers
from tests.fakes.telegram import TOKEN, FakeTelegram
from tests.live.listening import cookie_of, listening
from tests.test_processes import serving, until
from tests.webhook.rows import an_update, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.extensions import db
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.shared.boxfile import BoxFile
from tgm.webhook import receiving
from tgm.webhook.models import Attempt

BASE = "https://tgm.example.com"
given = pytest.mark.given(WEBHOOK_BASE_URL=BASE, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")


def received_by(team: ULID, url: str, telegram: FakeTelegram, **fields: Any) -> Address:
    """Make a bot with an endpoint, and return where Telegram posts its updates."""
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    make_endpoint(bot.id, url=url, **fields)
    receiving.switch_on(team, bot.id, actor=COMMAND_LINE)
    asked = json.loads(telegram.calls("setWebhook")[-1].body)
    return Address(asked["url"].removeprefix(BASE), asked["secret_token"])


@given
def test_what_a_killed_one_had_taken_in_is_delivered(
    app: Flask, owner: Person, environ: dict[str, str], tmp_path: Path, telegram: FakeTelegram
) -> None:
    receiver = Receiver()
    address = received_by(owner.places[0].team_id, receiver.url, telegram)
    with process(environ, tmp_path / "log", "--processes", "2") as started:
        feeder = Feeder(started.served.address[1], [address], rate=300)
        victims = serving(started.popen.pid, 2)
        feeder.start()
        for victim in victims:
            before = len(feeder.accepted)
            until(lambda before=before: len(feeder.accepted) > before + 50)  # type: ignore[misc]
            until(lambda: receiver.in_flight)
            os.kill(victim, signal.SIGKILL)
        until(lambda: len(feeder.accepted) > before + 150)
        feeder.stop()
        until(lambda: feeder.accepted <= receiver.first_seen())
        assert started.end() == 0
    receiver.close()


@given
def test_an_open_page_shows_what_another_one_takes_in(
    app: Flask,
    owner: Person,
    signed_in: FlaskClient,
    environ: dict[str, str],
    tmp_path: Path,
    telegram: FakeTelegram,
) -> None:
    receiver = Receiver()
    address = received_by(owner.places[0].team_id, receiver.url, telegram)
    headers = {
        "Content-Type": "application/json",
        "X-Telegram-Bot-Api-Secret-Token": address.secret,
    }
    with process(environ, tmp_path / "log", "--processes", "2") as started:
        serving(started.popen.pid, 2)
        with listening(started.served, "/dashboard/deliveries", cookie_of(signed_in)) as stream:
            # Each on a connection of its own: both processes get some of them.
            for number in range(1, 7):
                chat = {"id": number, "type": "private", "first_name": "Ani"}
                message = {
                    "message_id": number, "date": 1, "chat": chat, "text": f"Pesan ke-{number}",
                    }  # fmt: skip
                update = {"update_id": number, "message": message, "mark": [0, number, number]}
                body = json.dumps(update).encode()
                assert started.served.call("POST", address.path, body, headers).status == 200
                stream.wait_for_page(f"Pesan ke-{number}")
    receiver.close()


@given
def test_what_receivers_answer_leaves_at_one_pace_whichever_one_delivers(
    app: Flask, owner: Person, environ: dict[str, str], tmp_path: Path, telegram: FakeTelegram
) -> None:
    team = owner.places[0].team_id
    with Answering() as receiver, ThreadPoolExecutor(8) as pool:
        receiver.always = answers(200, {"method": "sendMessage", "chat_id": 5, "text": "Siap"})
        address = received_by(team, receiver.url, telegram, takes_answers=True)
        bot = bots.of_team(team)[0]
        bots.keep_pace(team, bot.id, True, COMMAND_LINE)
        with process(environ, tmp_path / "log", "--processes", "2") as started:
            serving(started.popen.pid, 2)
            headers = {
                "Content-Type": "application/json",
                "X-Telegram-Bot-Api-Secret-Token": address.secret,
            }
            # From people in several chats, who are all answered in one.
            bodies = [an_update(number, chat_id=100 + number) for number in range(1, 5)]
            posted = [
                pool.submit(started.served.call, "POST", address.path, body, headers)
                for body in bodies
            ]
            assert [each.result().status for each in posted] == [200] * 4

            def told() -> list[str | None]:
                db.session.rollback()
                return list(db.session.scalars(select(Attempt.called)))

            until(lambda: told() == ["sendMessage ok"] * 4)
    assert len(telegram.calls("sendMessage")) == 4
    shared = BoxFile(tmp_path / "shared.sqlite3")
    turns = [at for (at,) in shared.run("SELECT at FROM turns ORDER BY at")]
    shared.close()
    assert [later - earlier >= 1 for earlier, later in pairwise(turns)] == [True] * 3


def test_a_new_key_works_at_once_at_each_of_them(
    app: Flask, owner: Person, environ: dict[str, str], tmp_path: Path, telegram: FakeTelegram
) -> None:
    team = owner.places[0].team_id
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    with process(environ, tmp_path / "log", "--processes", "2") as started:
        serving(started.popen.pid, 2)
        target = f"/api/v1/bots/{bot.id}/getMe"
        for _ in range(5):
            # Here is a process of its own, too, as the command line is.
            _, secret = keys.make(team, Rights("Program"), COMMAND_LINE)
            headers = {"X-API-Key": secret.value}
            # Each on a connection of its own: both processes get some of them.
            got = [started.served.call("GET", target, None, headers) for _ in range(4)]
            assert [each.status for each in got] == [200] * 4
