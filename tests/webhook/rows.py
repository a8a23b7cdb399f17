"""Endpoints, updates, deliveries and attempts as rows, for screens to show."""

import json
from datetime import datetime, timedelta
from typing import Any

from ulid import ULID

from tgm.database import writing
from tgm.extensions import runtime
from tgm.security.signing import new_secret
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.webhook.facts import read
from tgm.webhook.models import (
    Attempt,
    Delivery,
    Endpoint,
    Mode,
    Reception,
    State,
    StoredUpdate,
)

SIGNATURE = "sha256=" + "ab" * 32


def an_update(update_id: int, text: str = "Halo", chat_id: int = 523067421) -> bytes:
    """Return a message as Telegram would send it."""
    person = {"id": chat_id, "is_bot": False, "first_name": "Ani"}
    message = {"message_id": 1, "from": person, "chat": {"id": chat_id, "type": "private"}}
    return json.dumps(
        {"update_id": update_id, "message": {**message, "date": 1, "text": text}}
    ).encode()


def make_endpoint(bot_id: ULID, name: str = "Toko", **fields: Any) -> Endpoint:
    """Make an endpoint without asking Telegram."""
    endpoint = Endpoint(
        id=new_id(),
        bot_id=bot_id,
        name=name,
        url=f"https://{name.lower()}.example.com/hook",
        sealed_secret="",
        created_at=utcnow(),
    )
    place = endpoint.secret_place()
    endpoint.sealed_secret = runtime.vault.seal(new_secret().value, place=place)
    for column, value in fields.items():
        setattr(endpoint, column, value)
    with writing() as session:
        session.add(endpoint)
    return endpoint


def make_delivery(
    endpoint: Endpoint, raw: bytes, *, at: datetime | None = None, **fields: Any
) -> Delivery:
    """Make an update and its delivery to the endpoint."""
    at, facts = at or utcnow(), read(raw)
    update = StoredUpdate(
        bot_id=endpoint.bot_id,
        update_id=facts.update_id,
        is_test=False,
        kind=facts.kind,
        queue=facts.queue,
        chat_id=facts.chat_id,
        user_id=facts.user_id,
        words=facts.words,
        raw=raw,
        received_at=at,
    )
    with writing() as session:
        session.add(update)
        session.flush()
        delivery = Delivery(
            id=new_id(),
            endpoint_id=endpoint.id,
            bot_id=endpoint.bot_id,
            update_seq=update.seq,
            queue=facts.queue,
            kind=facts.kind,
            state=State.DUE,
            attempts_made=0,
            next_at=at + timedelta(days=1),
            created_at=at,
        )
        for column, value in fields.items():
            setattr(delivery, column, value)
        session.add(delivery)
    return delivery


def make_attempt(delivery: Delivery, number: int = 1, **fields: Any) -> Attempt:
    """Make an attempt that was answered 500, unless `fields` say otherwise."""
    attempt = Attempt(
        delivery_seq=delivery.seq,
        number=number,
        at=utcnow(),
        milliseconds=1234,
        status=500,
        error=None,
        signature=SIGNATURE,
        response_headers=[["Server", "toko/1"]],
        response_body=b"database is down",
    )
    for column, value in fields.items():
        setattr(attempt, column, value)
    with writing() as session:
        session.add(attempt)
    return attempt


def make_reception(bot_id: ULID, mode: Mode = Mode.WEBHOOK, **fields: Any) -> Reception:
    """Make a bot receive without asking Telegram."""
    reception = Reception(
        bot_id=bot_id, mode=mode, allowed_updates=["message"], started_at=utcnow()
    )
    for column, value in fields.items():
        setattr(reception, column, value)
    with writing() as session:
        session.add(reception)
    return reception
