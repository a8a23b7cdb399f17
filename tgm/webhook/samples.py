"""Test updates: made up, but as Telegram would send them, for one endpoint alone."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from ulid import ULID

from tgm.audit.service import Actor, record
from tgm.bots.models import Bot
from tgm.database import take_turns, writing
from tgm.extensions import runtime
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict
from tgm.shared.ids import new_id
from tgm.webhook import facts
from tgm.webhook.endpoints import find
from tgm.webhook.models import Delivery, State, StoredUpdate

# The person and the chat of the documentation's examples.
_CHAT = {"id": 523067421, "first_name": "Ani", "last_name": "Wijaya", "type": "private"}
_PERSON = {
    "id": 523067421,
    "is_bot": False,
    "first_name": "Ani",
    "last_name": "Wijaya",
    "language_code": "id",
}
_ORDER = "2437234"


def message(team_id: ULID, endpoint_id: ULID, actor: Actor) -> Delivery:
    """Send the endpoint a test message. Raises NotFound, Conflict where the endpoint is paused."""
    return _send(team_id, endpoint_id, actor, message_to)


def button_press(team_id: ULID, endpoint_id: ULID, actor: Actor) -> Delivery:
    """Send the endpoint a test button press. Raises as `message` does."""
    return _send(team_id, endpoint_id, actor, button_press_of)


def message_to(_bot: Bot, update_id: int, now: datetime) -> dict[str, Any]:
    """Return a message that a person wrote to the bot."""
    return {
        "update_id": update_id,
        "message": {
            "message_id": update_id % 100_000,
            "from": _PERSON,
            "chat": _CHAT,
            "date": int(now.timestamp()),
            "text": "Halo! Ini pesan uji dari TGM. 👋",
        },
    }


def button_press_of(bot: Bot, update_id: int, now: datetime) -> dict[str, Any]:
    """Return the press of a button below a message of the bot's, as in the documentation."""
    buttons = [("Ya", "confirm"), ("Tidak", "reject")]
    return {
        "update_id": update_id,
        "callback_query": {
            "id": str(_PERSON["id"] * 2**32 + update_id),  # type: ignore[operator]
            "from": _PERSON,
            "message": {
                "message_id": update_id % 100_000,
                "from": {
                    "id": bot.telegram_id,
                    "is_bot": True,
                    "first_name": bot.name,
                    "username": bot.username,
                },
                "chat": _CHAT,
                "date": int(now.timestamp()) - 60,
                "text": f"Ada orderan masuk #{_ORDER}. Konfirmasi?",
                "reply_markup": {
                    "inline_keyboard": [
                        [
                            {"text": text, "callback_data": f"order:{status}:{_ORDER}"}
                            for text, status in buttons
                        ]
                    ]
                },
            },
            "chat_instance": "-3283432946213541234",
            "data": f"order:confirm:{_ORDER}",
        },
    }


def _send(
    team_id: ULID,
    endpoint_id: ULID,
    actor: Actor,
    make: Callable[[Bot, int, datetime], dict[str, Any]],
) -> Delivery:
    now = utcnow()
    with writing() as session:
        endpoint = find(session, team_id, endpoint_id)
        if endpoint.is_paused:
            raise Conflict(N_("The endpoint is paused: resume it first."))
        take_turns(session, f"test updates of {endpoint.bot_id}")
        bot = session.get_one(Bot, endpoint.bot_id)
        tests = StoredUpdate.is_test.is_(True)
        last = session.scalar(
            select(func.max(StoredUpdate.update_id)).where(StoredUpdate.bot_id == bot.id, tests)
        )
        # Never twice the same, even after the older ones are gone: receivers drop repeats by it.
        update_id = max(int(now.timestamp()), (last or 0) + 1)
        raw = json.dumps(make(bot, update_id, now), ensure_ascii=False).encode()
        stored = _stored(bot, raw, now)
        session.add(stored)
        session.flush()
        delivery = _delivery(endpoint_id, stored, now)
        session.add(delivery)
        record(
            session,
            actor,
            "endpoint.tested",
            team_id=team_id,
            subject_id=endpoint.id,
            subject_name=endpoint.name,
            kind=stored.kind,
        )
    runtime.relay.wake()
    return delivery


def _stored(bot: Bot, raw: bytes, now: datetime) -> StoredUpdate:
    read = facts.read(raw)
    return StoredUpdate(
        bot_id=bot.id,
        update_id=read.update_id,
        is_test=True,
        kind=read.kind,
        queue=read.queue,
        chat_id=read.chat_id,
        user_id=read.user_id,
        words=read.words,
        raw=raw,
        received_at=now,
    )


def _delivery(endpoint_id: ULID, stored: StoredUpdate, now: datetime) -> Delivery:
    return Delivery(
        id=new_id(),
        endpoint_id=endpoint_id,
        bot_id=stored.bot_id,
        update_seq=stored.seq,
        queue=stored.queue,
        kind=stored.kind,
        state=State.DUE,
        attempts_made=0,
        next_at=now,
        created_at=now,
    )
