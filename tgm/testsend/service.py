"""Calling a method as a signed-in person, through the proxy and its log; templates; the history."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from ulid import ULID

from tgm.auth.roles import Role
from tgm.auth.service import Person, TeamPlace
from tgm.bots import names
from tgm.bots import service as bots
from tgm.database import writing
from tgm.extensions import db, runtime
from tgm.keys.patterns import LITERAL_ONLY
from tgm.keys.snapshot import KnownKey
from tgm.proxy.answers import ProxyAnswer
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, Invalid, NotFound
from tgm.shared.ids import new_id
from tgm.testsend import compose
from tgm.testsend.compose import Call
from tgm.testsend.draft import SECRETS, kept
from tgm.testsend.models import SendHistory, SendTemplate

MOST_KEPT = 20
# What is read of an answer to show it, and what is kept of it.
_SHOWN_BYTES = 1024 * 1024
_KEPT_CHARACTERS = 16_384


@dataclass(frozen=True)
class Sent:
    """A call that was made, and the beginning of its answer as text."""

    row: SendHistory
    body: str


def send(person: Person, place: TeamPlace, call: Call, once: ULID) -> Sent:
    """Make the call, and keep it in the person's history.

    `once` stands for one press of the button: the same call with it is not made a second time.
    Raises NotFound for another team's bot. What the proxy refuses is an answer like any other.
    """
    bot = bots.get(place.team_id, ULID.from_str(call.bot_id))
    made = db.session.get(SendHistory, once)
    if made is not None and _is_same(made, person, place, call):
        return Sent(made, made.answer or "")
    started = time.perf_counter()
    answer = runtime.gateway.handle(
        compose.environ(call, f"test-send:{once}"), caller=_caller(person, place)
    )
    body = _read(answer)
    row = SendHistory(
        id=once if made is None else new_id(),
        team_id=place.team_id,
        user_id=person.id,
        bot_id=bot.id,
        method=call.method,
        parameters=kept(call.parameters),
        left_out=_left_out(call),
        status=answer.status,
        milliseconds=round((time.perf_counter() - started) * 1000),
        answer=None if tells_secrets(call.method) else body[:_KEPT_CHARACTERS],
        at=utcnow(),
    )
    try:
        _keep(row)
    except IntegrityError:
        # The same press again, while the first was under way.
        row = _copy(row)
        _keep(row)
    return Sent(row, body)


def tells_secrets(method: str) -> bool:
    """Tell whether a method's answer holds a secret, such as a bot's token."""
    return "token" in method.lower()


def _caller(person: Person, place: TeamPlace) -> KnownKey:
    """Return the person as the proxy knows callers: all bots of the team, at the usual rate.

    What would break the team's receiving, only those may call who may also change it.
    """
    grave = sorted(LITERAL_ONLY) if place.role.may(Role.ADMIN) else []
    return KnownKey(
        id=str(person.id),
        team_id=str(place.team_id),
        bot_ids=None,
        patterns=("*", *grave),
        per_minute=None,
        expires_at=None,
        is_revoked=False,
    )


def _read(answer: ProxyAnswer) -> str:
    found = b""
    try:
        for block in answer.body:
            found += block
            if len(found) > _SHOWN_BYTES:
                break
    except OSError:
        # Telegram broke off: what came is shown, and the log says so.
        pass
    finally:
        close: Callable[[], None] = getattr(answer.body, "close", lambda: None)
        close()
    # No database takes a NUL.
    return found[:_SHOWN_BYTES].decode(errors="replace").replace("\0", "\ufffd")


def _left_out(call: Call) -> dict[str, str]:
    files = {name: upload.name for name, upload in call.uploads.items()}
    return files | {name: "" for name in call.parameters if name in SECRETS}


def _is_same(made: SendHistory, person: Person, place: TeamPlace, call: Call) -> bool:
    return (
        (made.user_id, made.team_id) == (person.id, place.team_id)
        and (str(made.bot_id), made.method) == (call.bot_id, call.method)
        and (made.parameters, made.left_out) == (kept(call.parameters), _left_out(call))
    )


def _copy(row: SendHistory) -> SendHistory:
    columns = {column.key: getattr(row, column.key) for column in SendHistory.__table__.columns}
    return SendHistory(**{**columns, "id": new_id()})


def _keep(row: SendHistory) -> None:
    mine = (SendHistory.user_id == row.user_id) & (SendHistory.team_id == row.team_id)
    newest = select(SendHistory.id).where(mine).order_by(SendHistory.at.desc(), SendHistory.id)
    with writing() as session:
        session.add(row)
        session.flush()
        kept = session.scalars(newest.limit(MOST_KEPT)).all()
        session.execute(delete(SendHistory).where(mine, SendHistory.id.not_in(kept)))


def history(person: Person, team_id: ULID) -> Sequence[SendHistory]:
    """Return a person's last calls for the team, the newest first."""
    query = select(SendHistory).where(
        SendHistory.user_id == person.id, SendHistory.team_id == team_id
    )
    ordered = query.order_by(SendHistory.at.desc(), SendHistory.id).limit(MOST_KEPT)
    return db.session.scalars(ordered).all()


def past(person: Person, team_id: ULID, past_id: ULID) -> SendHistory:
    """Return one of the person's own calls. Raises NotFound."""
    row = db.session.get(SendHistory, past_id)
    if row is None or (row.user_id, row.team_id) != (person.id, team_id):
        raise NotFound(N_("There is no such call any more."))
    return row


def templates(team_id: ULID) -> Sequence[SendTemplate]:
    """Return the team's templates, by name."""
    query = select(SendTemplate).where(SendTemplate.team_id == team_id)
    return db.session.scalars(query.order_by(SendTemplate.name, SendTemplate.id)).all()


def template(team_id: ULID, template_id: ULID) -> SendTemplate:
    """Return one of the team's templates. Raises NotFound."""
    row = db.session.get(SendTemplate, template_id)
    if row is None or row.team_id != team_id:
        raise NotFound(N_("There is no such template."))
    return row


def save(
    place: TeamPlace, name: str, bot_id: ULID, method: str, parameters: Mapping[str, Any], by: str
) -> SendTemplate:
    """Keep a call by name, without its secrets. Raises Invalid, Conflict for a name that is taken.

    Files cannot be kept: they are chosen anew each time.
    """
    bots.get(place.team_id, bot_id)
    row = SendTemplate(
        id=new_id(),
        team_id=place.team_id,
        bot_id=bot_id,
        name=_template_name(name),
        method=method,
        parameters=kept(parameters),
        made_by=by,
        made_at=utcnow(),
    )
    try:
        with writing() as session:
            session.add(row)
    except IntegrityError:
        raise Conflict(N_("There is a template of this name already."), field="template") from None
    return row


def _template_name(name: str) -> str:
    try:
        return names.checked(name)
    except Invalid as error:
        error.field = "template"
        raise


def forget(team_id: ULID, template_id: ULID) -> str:
    """Delete a template, and return what it was called. Raises NotFound."""
    with writing() as session:
        row = session.get(SendTemplate, template_id)
        if row is None or row.team_id != team_id:
            raise NotFound(N_("There is no such template."))
        session.delete(row)
        return row.name
