"""A month of work for three bots, put into a database fast, and as the application would."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection, insert
from ulid import ULID

from tests.browser.stock import Stock, make_stock
from tests.fakes.telegram import FakeTelegram
from tests.webhook.rows import SIGNATURE, make_endpoint, make_reception
from tgm.audit.service import Actor
from tgm.auth.service import Person
from tgm.bots import service as bots
from tgm.database import writing
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.proxy.requestlog import LogRow
from tgm.shared.ids import new_id
from tgm.webhook import counting
from tgm.webhook.chats import ChatNotes
from tgm.webhook.facts import Facts, read
from tgm.webhook.models import Attempt, Delivery, Mode, State, StoredUpdate
from tgm.webhook.recording import Ended

MONTH = timedelta(days=30)
THIRD_TOKEN = "345678901:AAthirdBotOfTheBenchmark_0123456789ab"
_STEP = 5000
_CHATS = 400
# What callers ask for, and how often in a hundred calls.
_CALLS: list[tuple[int, str, int, str, str | None]] = [
    (60, "sendMessage", 200, "telegram", None),
    (14, "editMessageText", 200, "telegram", None),
    (10, "answerCallbackQuery", 200, "telegram", None),
    (7, "sendPhoto", 200, "telegram", None),
    (4, "sendMessage", 400, "telegram", None),
    (2, "sendMessage", 429, "gateway", "rate_limited"),
    (2, "getUpdates", 409, "gateway", "receives_updates"),
    (1, "sendDocument", 504, "gateway", "telegram_timeout"),
]


def fill(
    owner: Person, telegram: FakeTelegram, now: datetime, calls: int, deliveries: int
) -> Stock:
    """Give the owner's team three bots, eight keys, and a month of calls and deliveries."""
    stock = make_stock(owner, telegram)
    chance = random.Random(4)
    team, actor = owner.places[0].team_id, Actor(owner.email, "192.0.2.7")
    telegram.add_bot(THIRD_TOKEN, "Antrian klinik", "tgm_antrian_klinik_bot")
    third = bots.add(team, THIRD_TOKEN, None, actor)
    made = [keys.make(team, Rights(f"Program {n}"), actor)[0].id for n in range(5)]
    log_calls(chance, team, [stock.bot.id, third.id], [stock.key.id, *made], now, calls)
    make_reception(third.id, Mode.WEBHOOK)
    endpoints = [
        (third.id, make_endpoint(third.id, "Clinic").id),
        (stock.bot.id, stock.relayed.endpoint_id),
        (stock.bot.id, make_endpoint(stock.bot.id, "Archive").id),
    ]
    relay(chance, endpoints, now, deliveries)
    return stock


def log_calls(
    chance: random.Random, team: ULID, of: list[ULID], by: list[ULID], now: datetime, number: int
) -> None:
    """Log calls through the application's own log, which counts them too."""
    kinds = chance.choices(_CALLS, [kind[0] for kind in _CALLS], k=number)
    for place, (_, method, status, source, error) in enumerate(kinds):
        row = LogRow(
            at=_at(place, number, now),
            team_id=str(team),
            bot_id=str(chance.choice(of)),
            key_id=str(chance.choice(by)),
            method=method,
            source=source,
            status=status,
            error=error,
            bytes_in=chance.randrange(40, 4000),
            bytes_out=chance.randrange(40, 1500),
            milliseconds=chance.randrange(20, 400),
        )
        runtime.request_log.add(row)
        if place % _STEP == 0:
            runtime.request_log.flush()
    runtime.request_log.flush()


def relay(chance: random.Random, to: list[tuple[ULID, ULID]], now: datetime, number: int) -> None:
    """Receive updates, and deliver each to one endpoint: one in fifty at the second attempt."""
    numbers = count(1_000_000)
    notes = ChatNotes()
    for first in range(0, number, _STEP):
        some = [
            (*chance.choice(to), _update(chance, next(numbers)), _at(place, number, now))
            for place in range(first, min(first + _STEP, number))
        ]
        with writing() as session:
            _write(session.connection(), chance, some, notes)


def _write(
    connection: Connection,
    chance: random.Random,
    some: list[tuple[ULID, ULID, bytes, datetime]],
    notes: ChatNotes,
) -> None:
    known = [(bot, endpoint, raw, read(raw), at) for bot, endpoint, raw, at in some]
    updates = [_stored(bot, raw, facts, at) for bot, _, raw, facts, at in known]
    sequence = _insert(connection, StoredUpdate, updates)
    chats = [(str(bot), facts.chat, at) for bot, _, _, facts, at in known if facts.chat]
    notes.remember(notes.write(connection, chats))
    failing = [chance.random() < 0.02 for _ in known]
    rows = [
        _delivery(bot, endpoint, facts, at, seq, 2 if late else 1)
        for (bot, endpoint, _, facts, at), seq, late in zip(known, sequence, failing, strict=True)
    ]
    numbers = _insert(connection, Delivery, rows)
    ended = [
        one for seq, row in zip(numbers, rows, strict=True) for one in _attempts(chance, seq, row)
    ]
    connection.execute(insert(Attempt), [one.attempt for one, _ in ended])
    counting.note(connection, ended)


def _insert(connection: Connection, model: Any, rows: list[dict[str, Any]]) -> list[int]:
    """Insert rows and return their numbers, which come one after the other."""
    statement = insert(model).returning(model.seq, sort_by_parameter_order=True)
    return list(connection.scalars(statement, rows))


def _stored(bot: ULID, raw: bytes, facts: Facts, at: datetime) -> dict[str, Any]:
    return {
        "bot_id": bot,
        "update_id": facts.update_id,
        "is_test": False,
        "kind": facts.kind,
        "queue": facts.queue,
        "chat_id": facts.chat_id,
        "user_id": facts.user_id,
        "words": facts.words,
        "raw": raw,
        "received_at": at,
    }


def _delivery(
    bot: ULID, endpoint: ULID, facts: Facts, at: datetime, update_seq: int, attempts: int
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "endpoint_id": endpoint,
        "bot_id": bot,
        "update_seq": update_seq,
        "queue": facts.queue,
        "kind": facts.kind,
        "state": State.DELIVERED,
        "attempts_made": attempts,
        "next_at": None,
        "created_at": at,
        "finished_at": at + timedelta(seconds=attempts),
        "last_status": 200,
        "last_error": None,
    }


def _attempts(
    chance: random.Random, seq: int, row: dict[str, Any]
) -> Iterator[tuple[Ended, datetime]]:
    last, made = row["attempts_made"], row["created_at"]
    for number in range(1, last + 1):
        at = made + timedelta(seconds=number)
        attempt = {
            "delivery_seq": seq,
            "number": number,
            "at": at,
            "milliseconds": chance.randrange(20, 900),
            "status": 200 if number == last else 503,
            "error": None,
            "signature": SIGNATURE,
            "response_headers": [["Content-Type", "application/json"]],
            "response_body": b'{"ok":true}',
            "called": None,
        }
        state = State.DELIVERED if number == last else State.DUE
        yield Ended(seq, str(row["endpoint_id"]), at, attempt, state, None, None, None), made


def _at(place: int, number: int, now: datetime) -> datetime:
    """Return when the row at `place` of `number` came: evenly over the month, the last one now."""
    return now - MONTH * ((number - place) / number)


def _update(chance: random.Random, number: int) -> bytes:
    chat = 500_000_000 + chance.randrange(_CHATS)
    sender = {"id": chat, "is_bot": False, "first_name": f"Pelanggan {chat % _CHATS}"}
    message = {
        "message_id": number,
        "from": sender,
        "chat": {"id": chat, "type": "private", "first_name": sender["first_name"]},
        "date": 1,
        "text": f"Ada orderan masuk #{number}. Konfirmasi?",
    }
    if chance.random() < 0.7:
        return json.dumps({"update_id": number, "message": message}).encode()
    press = {"id": str(number), "from": sender, "message": message, "data": f"confirm:{number}"}
    return json.dumps({"update_id": number, "callback_query": press}).encode()
