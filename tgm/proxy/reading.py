"""What the screens show of the request log beside its pages. Reads only."""

from sqlalchemy import func, select
from ulid import ULID

from tgm.extensions import db, runtime
from tgm.proxy.models import RequestLogEntry
from tgm.shared.errors import N_, NotFound
from tgm.shared.paging import row_number

_NO_CALL = N_("There is no such call.")


def mark() -> int:
    """Return a number that grows with each call that is noted."""
    runtime.request_log.flush()
    db.session.rollback()
    return db.session.scalar(select(func.max(RequestLogEntry.id))) or 0


def find(team_id: ULID, named: str) -> RequestLogEntry:
    """Return the call of the team's that `named`, its row's number, means. Raises NotFound."""
    try:
        wanted = row_number(named)
    except ValueError:
        raise NotFound(_NO_CALL) from None
    query = select(RequestLogEntry).where(
        RequestLogEntry.id == wanted, RequestLogEntry.team_id == team_id
    )
    found = db.session.scalar(query)
    if found is None:
        raise NotFound(_NO_CALL)
    return found
