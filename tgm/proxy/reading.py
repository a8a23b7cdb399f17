"""What the screens show of the request log. Reads only."""

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, String, and_, bindparam, func, select, type_coerce
from ulid import ULID

from tgm.auth.models import Membership, User
from tgm.bots.models import Bot
from tgm.extensions import db, runtime
from tgm.keys.models import ApiKey
from tgm.proxy.models import RequestLogEntry as Entry
from tgm.proxy.requestlog import Filter
from tgm.shared.errors import N_, NotFound
from tgm.shared.paging import Page, page_of, row_number

_TEAM = bindparam("team", type_=Entry.team_id.type)
_NO_CALL = N_("There is no such call.")


class Line(NamedTuple):
    """One call, with what its bot and its caller are called now; None for what is gone.

    A test send is noted with its person's id in place of a key's: `person` is their address.
    """

    id: int
    at: datetime
    bot_id: str | None
    key_id: str
    method: str
    source: str
    status: int
    bytes_in: int
    bytes_out: int
    milliseconds: int
    error: str | None
    bot: str | None
    key: str | None
    person: str | None


# In the order of a Line. Ids stay texts, which is what a page needs.
_LINE = (
    Entry.id,
    Entry.at,
    type_coerce(Entry.bot_id, String),
    type_coerce(Entry.key_id, String),
    Entry.method,
    Entry.source,
    Entry.status,
    Entry.bytes_in,
    Entry.bytes_out,
    Entry.milliseconds,
    Entry.error,
    Bot.name,
    ApiKey.name,
    User.email,
)


def page(team_id: ULID, wanted: Filter, before: int | None = None, *, size: int = 50) -> Page[Line]:
    """Return a team's calls, the newest first, older than the row `before`.

    What was answered a moment ago is among them: the log is written first.
    """
    runtime.request_log.flush()
    # A read begun earlier in this request would go on seeing the log as it was.
    db.session.rollback()
    query = _lines().where(*wanted.conditions())
    if before is not None:
        query = query.where(Entry.id < before)
    found = db.session.execute(query.limit(size + 1), {"team": team_id})
    return page_of(map(Line._make, found), size)


@cache
def _lines() -> Select[*tuple[Any, ...]]:
    # To put it together takes longer than to run it.
    return (
        select(*_LINE)
        .select_from(Entry)
        .outerjoin(Bot, and_(Bot.id == Entry.bot_id, Bot.team_id == _TEAM))
        .outerjoin(ApiKey, and_(ApiKey.id == Entry.key_id, ApiKey.team_id == _TEAM))
        .outerjoin(
            Membership, and_(Membership.user_id == Entry.key_id, Membership.team_id == _TEAM)
        )
        .outerjoin(User, User.id == Membership.user_id)
        .where(Entry.team_id == _TEAM)
        .order_by(Entry.id.desc())
    )


def mark() -> int:
    """Return a number that grows with each call that is noted."""
    runtime.request_log.flush()
    db.session.rollback()
    return db.session.scalar(select(func.max(Entry.id))) or 0


def find(team_id: ULID, named: str) -> Line:
    """Return the call of the team's that `named`, its row's number, means. Raises NotFound."""
    try:
        wanted = row_number(named)
    except ValueError:
        raise NotFound(_NO_CALL) from None
    query = _lines().where(Entry.id == wanted)
    found = db.session.execute(query, {"team": team_id}).one_or_none()
    if found is None:
        raise NotFound(_NO_CALL)
    return Line._make(found)
