"""What the home screen knows of a team, in a few queries whatever the number of its bots.

A log of a million rows must not be read to say how a bot is doing: of updates, calls and attempts
each bot's newest `WINDOW` rows count, found by an index.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, not_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased
from ulid import ULID

from tgm.audit.models import AuditEntry
from tgm.bots.models import Bot, BotPhoto
from tgm.dashboard import standing
from tgm.dashboard.known import BotFacts, CallFacts, KeyFacts, Seen
from tgm.extensions import db, runtime
from tgm.keys.models import ApiKey
from tgm.proxy.models import RequestLogEntry
from tgm.shared.marks import TELEGRAM
from tgm.webhook.models import Acknowledge, Attempt, Delivery, Endpoint, Reception
from tgm.webhook.models import StoredUpdate as Update

DAY = timedelta(days=1)
WINDOW = 200
Query = Select[*tuple[Any, ...]]
_TEAM = bindparam("team", type_=Bot.team_id.type)
_NOW = bindparam("now", type_=ApiKey.expires_at.type)
_SINCE = bindparam("since", type_=Update.received_at.type)
# Calls that do nothing in a chat, beside those that only read.
_IDLE = ("sendChatAction", "setWebhook", "deleteWebhook", "logOut", "close", "file", "")


@dataclass(frozen=True)
class Facts:
    """A team's bots, by name, and those of its keys that work and will end."""

    bots: Sequence[BotFacts]
    keys: Sequence[KeyFacts]


def of_team(team_id: ULID, now: datetime) -> Facts:
    """Return what is known of a team. What was answered a moment ago is in it."""
    runtime.request_log.flush()
    # A read begun earlier in this request would go on seeing the log as it was.
    db.session.rollback()
    endpoints = standing.of_team(team_id, now - DAY)
    updates = _by_bot(_updates(), team_id, now)
    calls = _calls(team_id, now)
    found = []
    for row in db.session.execute(_bots(), {"team": team_id}):
        bot_id = row.id
        came = updates.get(bot_id)
        found.append(
            BotFacts(
                id=bot_id,
                name=row.name,
                username=row.username,
                is_disabled=row.disabled_at is not None,
                photo=row.file_unique_id,
                mode=row.mode,
                problem=row.problem,
                problem_text=row.problem_text,
                is_held=bool(row.is_paused),
                acknowledge=row.acknowledge or Acknowledge.AT_ONCE,
                last_update_at=came.last_at if came else None,
                messages=Seen(came.first_message, came.last_message) if came else Seen(),
                presses=Seen(came.first_press, came.last_press) if came else Seen(),
                calls=calls.get(bot_id, CallFacts()),
                endpoints=tuple(endpoints.get(bot_id, ())),
            )
        )
    ending = db.session.execute(_ending_keys(), {"team": team_id, "now": now})
    return Facts(found, [KeyFacts(*row) for row in ending])


# To put a query together takes longer than to run it: each is made once, and told whose it is.


@cache
def _bots() -> Query:
    columns = (Reception.mode, Reception.problem, Reception.problem_text, Reception.is_paused)
    return (
        select(Bot.id, Bot.name, Bot.username, Bot.disabled_at, Reception.acknowledge, *columns)
        .add_columns(BotPhoto.file_unique_id)
        .outerjoin(BotPhoto, BotPhoto.bot_id == Bot.id)
        .outerjoin(Reception, Reception.bot_id == Bot.id)
        .where(Bot.team_id == _TEAM)
        .order_by(func.lower(Bot.name), Bot.id)
    )


@cache
def _updates() -> Query:
    """Return when each bot's newest updates came in. A test of ours is none."""
    real = not_(Update.is_test)
    recent = and_(real, Update.received_at >= _SINCE)
    message = and_(recent, Update.kind == "message")
    press = and_(recent, Update.kind == "callback_query")
    other = aliased(Update)
    return (
        select(
            Update.bot_id,
            func.max(Update.received_at).filter(real).label("last_at"),
            func.min(Update.received_at).filter(message).label("first_message"),
            func.max(Update.received_at).filter(message).label("last_message"),
            func.min(Update.received_at).filter(press).label("first_press"),
            func.max(Update.received_at).filter(press).label("last_press"),
        )
        .join(Bot, Bot.id == Update.bot_id)
        .where(Bot.team_id == _TEAM, Update.seq >= _oldest_of(other.bot_id, other.seq))
        .group_by(Update.bot_id)
    )


def _calls(team_id: ULID, now: datetime) -> Mapping[ULID, CallFacts]:
    rows = _by_bot(_logged(), team_id, now)
    replied = _by_bot(_replies(), team_id, now)
    renewed = _renewed(team_id, now) if any(map(_is_refused, rows.values())) else {}
    return {
        bot_id: _call_facts(rows.get(bot_id), replied.get(bot_id), renewed.get(str(bot_id)))
        for bot_id in rows.keys() | replied.keys()
    }


@cache
def _logged() -> Query:
    """Return what the newest calls for each bot came to."""
    entry, other = RequestLogEntry, aliased(RequestLogEntry)
    answered = entry.source == TELEGRAM
    refused = and_(answered, entry.status == 401, entry.at >= _SINCE)
    good = and_(answered, entry.status < 400)
    acts = and_(
        good, not_(or_(entry.method.startswith("get"), entry.method.startswith("setMy"))),
        entry.method.not_in(_IDLE),
    )  # fmt: skip
    pressed = and_(good, entry.method == "answerCallbackQuery")
    return (
        select(
            entry.bot_id,
            func.count().label("calls"),
            func.min(entry.at).label("first_at"),
            func.max(case((answered, entry.id))).label("last_answered"),
            func.max(case((refused, entry.id))).label("last_refused"),
            func.max(entry.at).filter(refused).label("refused_at"),
            func.max(entry.at).filter(acts).label("acted_at"),
            func.max(entry.at).filter(pressed).label("pressed_at"),
        )
        .join(Bot, Bot.id == entry.bot_id)
        .where(Bot.team_id == _TEAM, entry.id >= _oldest_of(other.bot_id, other.id))
        .group_by(entry.bot_id)
    )


def _is_refused(row: Any) -> bool:
    is_refused: bool = row.last_refused is not None and row.last_refused == row.last_answered
    return is_refused


def _call_facts(row: Any, reply: Any, renewed: datetime | None) -> CallFacts:
    """Return the facts of a row of calls and one of replies; each is None where there is none."""
    facts = CallFacts()
    if row is not None:
        refused_at = row.refused_at if _is_refused(row) else None
        if refused_at is not None and renewed is not None and renewed > refused_at:
            refused_at = None
        facts = CallFacts(
            known_from=row.first_at if row.calls >= WINDOW else None,
            refused_at=refused_at,
            acted_at=row.acted_at,
            press_answered_at=row.pressed_at,
        )
    if reply is not None:
        facts = replace(
            facts,
            acted_at=_later(facts.acted_at, reply.acted_at),
            press_answered_at=_later(facts.press_answered_at, reply.pressed_at),
        )
    return facts


@cache
def _replies() -> Query:
    """Return when each bot's endpoints last called a method by what they answered."""
    other = aliased(Delivery)
    return (
        select(
            Delivery.bot_id,
            func.max(Attempt.at).label("acted_at"),
            func.max(Attempt.at)
            .filter(Attempt.called.startswith("answerCallbackQuery"))
            .label("pressed_at"),
        )
        .join(Bot, Bot.id == Delivery.bot_id)
        .join(Attempt, Attempt.delivery_seq == Delivery.seq)
        .where(Bot.team_id == _TEAM, Attempt.called.endswith(" ok"))
        # Few bots have an endpoint whose answers count.
        .where(
            select(Endpoint.id).where(Endpoint.bot_id == Bot.id, Endpoint.takes_answers).exists()
        )
        .where(Delivery.seq >= _oldest_of(other.bot_id, other.seq))
        .group_by(Delivery.bot_id)
    )


def _renewed(team_id: ULID, now: datetime) -> Mapping[str, datetime]:
    """Return when tokens were replaced in the last day, by the bot's id as a text."""
    # An id begins with its time, and the audit log's index ends with the id.
    query = select(AuditEntry.subject_id, func.max(AuditEntry.at)).where(
        AuditEntry.team_id == team_id,
        AuditEntry.id >= ULID.from_datetime(now - DAY),
        AuditEntry.action == "bot.token_replaced",
    )
    rows = db.session.execute(query.group_by(AuditEntry.subject_id))
    return {str(bot_id): at for bot_id, at in rows}


@cache
def _ending_keys() -> Query:
    """Return a team's keys that work and will end, with when the first successor was made."""
    other = aliased(ApiKey)
    replaced_at = select(func.min(other.created_at)).where(
        other.team_id == _TEAM, other.rotated_from == ApiKey.id
    )
    columns = (ApiKey.id, ApiKey.name, ApiKey.expires_at, ApiKey.last_used_at)
    return select(*columns, replaced_at.scalar_subquery()).where(
        ApiKey.team_id == _TEAM, ApiKey.revoked_at.is_(None), ApiKey.expires_at > _NOW
    )


def _oldest_of(
    bot_id: InstrumentedAttribute[Any], number: InstrumentedAttribute[int]
) -> ColumnElement[int]:
    """Return the number of the oldest row that counts, for a query that has Bot in it."""
    query = select(number).where(bot_id == Bot.id).order_by(number.desc())
    return func.coalesce(query.offset(WINDOW - 1).limit(1).correlate(Bot).scalar_subquery(), 0)


def _by_bot(query: Query, team_id: ULID, now: datetime) -> Mapping[ULID, Any]:
    given = {"team": team_id, "since": now - DAY}
    return {row.bot_id: row for row in db.session.execute(query, given)}


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)
