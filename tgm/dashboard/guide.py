"""The guide through a team's first steps.

Where it stands follows from what is there: it can be left and taken up at any time, and it is over
once a message has been sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from ulid import ULID

from tgm.bots import service as bots
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.keys.models import KeyState
from tgm.proxy.models import RequestLogEntry

# Whoever has made so many calls needs no guide, whatever they were.
WINDOW = 200
_AT_WORK = timedelta(days=1)


class Step(StrEnum):
    """What has to be done, in this order."""

    BOT = "bot"
    KEY = "key"
    MESSAGE = "message"


class State(StrEnum):
    """How a step stands. One step at a time is next."""

    DONE = "done"
    NEXT = "next"
    LATER = "later"


@dataclass(frozen=True)
class Known:
    """What the guide goes by.

    `has_key` asks for a key that works. `has_sent` tells that a message of the team's has reached
    Telegram; `is_at_work` that its programs call for longer than the log can tell.
    """

    has_bot: bool = False
    has_key: bool = False
    has_sent: bool = False
    is_at_work: bool = False


@dataclass(frozen=True)
class Guide:
    """Where a team stands. The last step is about the bot `bot_id`, None while there is none."""

    steps: tuple[tuple[Step, State], ...]
    bot_id: ULID | None = None
    username: str = ""
    is_receiving: bool = False

    @property
    def next(self) -> Step | None:
        """The step to take now, None once all is done."""
        return next((step for step, state in self.steps if state is State.NEXT), None)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to guide to."""
        return self.next is None

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(state is State.DONE for _, state in self.steps)


def steps(known: Known) -> tuple[tuple[Step, State], ...]:
    """Return each step and how it stands: the first that is not done is next."""
    if known.has_sent or known.is_at_work:
        return tuple((step, State.DONE) for step in Step)
    done = {Step.BOT: known.has_bot, Step.KEY: known.has_key}
    found: list[tuple[Step, State]] = []
    for step in Step:
        waits = any(state is not State.DONE for _, state in found)
        state = State.DONE if done.get(step) else State.LATER if waits else State.NEXT
        found.append((step, state))
    return tuple(found)


def of_team(team_id: ULID, now: datetime) -> Guide:
    """Return where a team stands. What was answered a moment ago counts."""
    team_bots, team_keys = bots.of_team(team_id), keys.of_team(team_id)
    used = [(key.created_at, key.last_used_at) for key in team_keys if key.last_used_at]
    is_at_work = any(at - made >= _AT_WORK for made, at in used)
    known = Known(
        has_bot=bool(team_bots),
        has_key=any(key.state(now) is KeyState.ACTIVE for key in team_keys),
        is_at_work=is_at_work,
        has_sent=not is_at_work and _has_sent(team_id, bool(used)),
    )
    # The one that was added last is the one that the person has in mind.
    newest = max(team_bots, key=lambda bot: bot.created_at, default=None)
    return Guide(
        steps(known),
        newest.id if newest else None,
        newest.username if newest else "",
        newest is not None and newest.receiving is not None,
    )


def _has_sent(team_id: ULID, is_used: bool) -> bool:
    """Tell whether one of the team's newest calls has sent something, or whether there were many.

    A key that was used, and no call in the log: the call is too old to be kept.
    """
    runtime.request_log.flush()
    entry = RequestLogEntry
    newest = (
        select(entry.method, entry.status)
        .where(entry.team_id == team_id)
        .order_by(entry.id.desc())
        .limit(WINDOW)
        .subquery()
    )
    sent = newest.c.method.startswith("send") & (newest.c.method != "sendChatAction")
    query = select(func.count(), func.count().filter(sent & (newest.c.status == 200)))
    # A connection of its own: `db.session` may have begun to read before the flush, and to end that
    # would make what the page is about stale.
    with db.engine.connect() as connection:
        count, sends = connection.execute(query.select_from(newest)).one()
    return bool(sends) or count >= WINDOW or (is_used and not count)
