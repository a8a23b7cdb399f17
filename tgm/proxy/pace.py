"""Telegram's published pace: when a call may leave. Pure rules, the time is passed in.

About 30 messages a second over all, 1 a second to one chat, 20 a minute to one group. `Pace` keeps
it for one process, in memory; `tgm.proxy.boxpace` by the same rules for several.
"""

import math
import re
import threading
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tgm.shared.errors import TooManyRequests

PER_BOT = 30
PER_CHAT = 1
PER_GROUP = 20
SECOND = 1.0
MINUTE = 60.0
# As many as Telegram takes in one call.
MOST_AT_ONCE = 100

_TOO_MANY = "Too Many Requests: retry after %(seconds)s"
_GROUP = re.compile(r"-\d+|@.*", re.ASCII)
# Chats that have been quiet are forgotten once there are so many, then at each doubling.
_SWEPT_AT = 1024


class PaceReached(TooManyRequests):
    """The call would have to wait longer than its caller does. `is_full` says that a message to
    any other chat of the bot would have to as well."""

    def __init__(self, seconds: float, *, is_full: bool = False) -> None:
        self.is_full = is_full
        whole = max(1, math.ceil(seconds))
        super().__init__(_TOO_MANY, seconds=whole, retry_after=whole)


@dataclass(eq=False)
class Slot:
    """A call's turn. `at` may still be put off, since Telegram may ask for a pause meanwhile;
    after `until` its caller does not wait for it any more. `others` stand for the further messages
    of a call that sends several: nobody waits for those."""

    bot_id: str
    chat: str | None
    at: float
    until: float
    others: list["Slot"] = field(default_factory=list, repr=False)
    number: int | None = None
    """Where it is written down, if other processes see it."""


class Timed(Protocol):
    """Anything that happens at a time."""

    @property
    def at(self) -> float:
        """When."""


class Paced(Protocol):
    """Hands out turns, for every bot. Times are seconds of a clock that never goes back."""

    def take(
        self,
        now: float,
        bot_id: str,
        *,
        patience: float,
        messages: int = 1,
        chat: str | None = None,
        once: str | None = None,
    ) -> Slot:
        """Return the next free turn, at `now` or at most `patience` seconds later.

        A call that sends no message waits only while Telegram has asked for a pause. Messages to
        one chat leave in the order in which they came; one that sends several leaves as a whole,
        and what follows waits for as long as if they had come one by one. Raises PaceReached, also
        where another process has a turn for what is called `once`; nothing is taken then.
        """

    def look(self, slot: Slot) -> float:
        """Return when the turn is: later than it was, where Telegram has asked for a pause."""

    def give_back(self, slot: Slot) -> None:
        """Free a turn that is not used: its caller has gone."""

    def pause(self, now: float, bot_id: str, seconds: float) -> None:
        """Let nothing leave for `seconds`: Telegram has said so. What waits keeps its distances."""

    def paused_for(self, now: float, bot_id: str) -> float:
        """Return how many seconds nothing may leave, 0 where it may."""


@dataclass
class _Bot:
    """What has left within the last minute and what will leave, each list in order of time."""

    slots: list[Slot] = field(default_factory=list)
    chats: dict[str, list[Slot]] = field(default_factory=dict)
    other: list[Slot] = field(default_factory=list)
    """Calls that wait only because Telegram asked for a pause."""
    pause_until: float = -math.inf
    swept_at: int = _SWEPT_AT


class Pace:
    """Hands out turns within one process: see `Paced`."""

    def __init__(self) -> None:
        self._bots: dict[str, _Bot] = {}
        self._lock = threading.Lock()

    def take(
        self,
        now: float,
        bot_id: str,
        *,
        patience: float,
        messages: int = 1,
        chat: str | None = None,
        once: str | None = None,  # noqa: ARG002 - there is nobody else
    ) -> Slot:
        """Return the next free turn. Raises PaceReached."""
        messages = min(messages, MOST_AT_ONCE)
        with self._lock:
            bot = self._bots.setdefault(bot_id, _Bot())
            _forget(bot, now)
            same: list[Slot] = []
            if messages and chat is not None:
                same = bot.chats.get(chat, same)
                del same[: bisect_left(same, now - MINUTE, key=_at)]
            at = turn(now, patience, bot.pause_until, bot.slots, same, chat, messages)
            slot = Slot(bot_id, chat if messages else None, at, now + patience)
            if not messages:
                if at > now:
                    bot.other.append(slot)
                return slot
            _enter(bot, slot, messages)
            return slot

    def look(self, slot: Slot) -> float:
        """Return when the turn is."""
        return slot.at

    def give_back(self, slot: Slot) -> None:
        """Free a turn that is not used."""
        with self._lock:
            bot = self._bots.get(slot.bot_id)
            if bot is None:
                return
            for slots in (bot.slots, bot.other, bot.chats.get(slot.chat or "", [])):
                for each in (slot, *slot.others):
                    if each in slots:
                        slots.remove(each)

    def pause(self, now: float, bot_id: str, seconds: float) -> None:
        """Let nothing leave for `seconds`."""
        with self._lock:
            bot = self._bots.setdefault(bot_id, _Bot())
            bot.pause_until = max(bot.pause_until, now + seconds)
            waiting = [slot for slot in (*bot.slots, *bot.other) if slot.at > now]
            if not waiting:
                return
            later = bot.pause_until - min(slot.at for slot in waiting)
            moving = {id(each): each for slot in waiting for each in (slot, *slot.others)}
            for slot in moving.values():
                slot.at += max(0.0, later)

    def paused_for(self, now: float, bot_id: str) -> float:
        """Return how many seconds nothing may leave, 0 where it may."""
        bot = self._bots.get(bot_id)
        return 0.0 if bot is None else max(0.0, bot.pause_until - now)


def turn(
    now: float,
    patience: float,
    pause_until: float,
    slots: Sequence[Timed],
    same: Sequence[Timed],
    chat: str | None,
    messages: int,
) -> float:
    """Return when so many messages may leave, at `now` or later. Raises PaceReached.

    `slots` are the bot's turns from a second ago on, one for each message, in order of time; `same`
    those of the chat, from a minute ago on.
    """
    at = start = begin = max(now, pause_until)
    if messages:
        if chat is not None:
            begin = _after_chat(same, start, is_group(chat), messages)
        at = _gap(slots, begin, min(messages, PER_BOT))
    if at - now > patience:
        is_any = messages <= 1 and begin == start
        soonest = at if is_any else _gap(slots, start, 1)
        raise PaceReached(at - now, is_full=soonest - now > patience)
    return at


def chat_of(value: object) -> str | None:
    """Return a chat_id in the one form that stands for a chat, None where it names none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip().lower()[:64]
    return text or None


def is_group(chat: str) -> bool:
    """Tell whether a chat counts as a group: a negative id, or a public @username.

    Of a channel nobody can tell; it counts as a group, too.
    """
    return _GROUP.fullmatch(chat) is not None


def _at(slot: Timed) -> float:
    return slot.at


def _enter(bot: _Bot, slot: Slot, messages: int) -> None:
    """Write a turn down. For the bot all its messages leave at once; to its chat, as is published,
    one each second."""
    same = None if slot.chat is None else bot.chats.setdefault(slot.chat, [])
    insort(bot.slots, slot, key=_at)
    if same is not None:
        same.append(slot)
    for number in range(1, messages):
        if number < PER_BOT:
            slot.others.append(replace(slot, others=[]))
            insort(bot.slots, slot.others[-1], key=_at)
        if same is not None:
            slot.others.append(replace(slot, at=slot.at + number * SECOND, others=[]))
            same.append(slot.others[-1])


def _after_chat(slots: Sequence[Timed], at: float, is_a_group: bool, messages: int) -> float:
    if len(slots) >= PER_CHAT:
        at = max(at, slots[-PER_CHAT].at + SECOND)
    room = max(1, PER_GROUP - messages + 1)
    if is_a_group and len(slots) >= room:
        at = max(at, slots[-room].at + MINUTE)
    return at


def _gap(slots: Sequence[Timed], at: float, messages: int) -> float:
    """Return the first time from `at` on at which so many more fit in among them."""
    full = PER_BOT - messages + 1
    first = max(0, bisect_left(slots, at - SECOND, key=_at) - full)
    for begin in range(first, len(slots) - full + 1):
        # No room beside as many as these: they must be a second away from either end.
        left, right = slots[begin].at, slots[begin + full - 1].at
        if right >= at + SECOND:
            break
        if max(right, at) < min(left, at) + SECOND:
            at = left + SECOND
    return at


def _forget(bot: _Bot, now: float) -> None:
    del bot.slots[: bisect_left(bot.slots, now - SECOND, key=_at)]
    bot.other = [slot for slot in bot.other if slot.at > now]
    if len(bot.chats) < bot.swept_at:
        return
    ends = {True: now - MINUTE, False: now - SECOND}
    bot.chats = {
        chat: slots
        for chat, slots in bot.chats.items()
        if slots and slots[-1].at > ends[is_group(chat)]
    }
    bot.swept_at = max(_SWEPT_AT, 2 * len(bot.chats))
