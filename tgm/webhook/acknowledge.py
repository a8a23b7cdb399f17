"""Answering button presses for the receiver, so that the spinner on the button stops.

A press is answered once and in the background: whatever becomes of it, the update goes its way.
Should the process die in between, the press stays unanswered, and Telegram ends the spinner itself.
"""

import json
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import SimpleQueue

from tgm.bots.tokens import opened
from tgm.keys.snapshot import Snapshot
from tgm.proxy import sends
from tgm.proxy.answers import ProxyAnswer, whole
from tgm.proxy.owncalls import OwnCalls
from tgm.security.vault import SealBroken, Vault
from tgm.shared.clock import utcnow
from tgm.shared.notes import Notes, OwnNotes
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import Failure, TelegramUnreachable
from tgm.telegram.token import BotToken
from tgm.webhook.models import Acknowledge
from tgm.webhook.receptions import Receptions
from tgm.webhook.storing import Stored

log = logging.getLogger(__name__)

LATEST = timedelta(seconds=10)
"""After delivery: how long after intake a press is answered at the latest. Programs that answer
presses themselves have that long in any case."""
_THREADS = 8
# Telegram refuses to answer a press that is older.
_TOO_LATE = timedelta(seconds=60)
# How long it is remembered which presses the receivers have answered themselves.
_REMEMBERED_SECONDS = 120
_NOTED = "press"
_LOOK_SECONDS = 0.5
_TIMINGS = 1000


@dataclass(frozen=True)
class _Press:
    bot_id: str
    callback_id: str
    received_at: datetime
    began: float


class Acknowledger:
    """Answers presses in a few threads of its own. `timings` holds the last milliseconds from
    intake to Telegram's answer.

    Another process may deliver what this one has taken in, and hear a receiver's own answer:
    `notes` tell of the answers, and `delivered` returns which of some updates have been delivered.
    While Telegram has asked for a pause, which `own` tells, presses of that bot wait as well.
    """

    def __init__(
        self,
        *,
        telegram: TelegramClient,
        vault: Vault,
        snapshot: Snapshot,
        receptions: Receptions,
        own: OwnCalls,
        notes: Notes | None = None,
        delivered: Callable[[Collection[int]], Collection[int]] = lambda _seqs: (),
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self._telegram = telegram
        self._vault = vault
        self._snapshot = snapshot
        self._receptions = receptions
        self._own = own
        self._notes = notes or OwnNotes()
        self._delivered = delivered
        self._now = now
        self.timings: deque[int] = deque(maxlen=_TIMINGS)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._waiting: OrderedDict[int, _Press] = OrderedDict()
        self._put_off: list[_Press] = []
        self._stopping = threading.Event()

    def at_once(self, stored: Sequence[Stored]) -> None:
        """Take note of updates that are new: quick, and without a query, as intake waits for it."""
        for one in stored:
            if one.facts.callback_id is None:
                continue
            press = _Press(one.bot_id, one.facts.callback_id, one.received_at, time.monotonic())
            self._start()
            with self._lock:
                self._waiting[one.seq] = press
            self._jobs.put(lambda seq=one.seq: self._begin(seq))  # type: ignore[misc]

    def after_delivery(self, update_seq: int) -> None:
        """Answer the press in this update if it waits for that: it has been delivered."""
        with self._lock:
            is_waiting = update_seq in self._waiting
        if is_waiting:
            self._jobs.put(lambda: self._after(update_seq))

    def answered(self, callback_id: str) -> None:
        """Hear that a receiver has answered a press itself."""
        self._notes.put(_NOTED, callback_id, 1, _REMEMBERED_SECONDS)

    def flush(self, now: datetime) -> None:
        """Answer what has been delivered, or has waited for that long enough."""
        with self._lock:
            waiting = dict(self._waiting)
        due = {seq for seq, press in waiting.items() if press.received_at + LATEST <= now}
        rest = waiting.keys() - due
        for seq in self._delivered(rest) if rest else ():
            self._jobs.put(lambda seq=seq: self._after(seq))  # type: ignore[misc]
        for seq in due:
            self._jobs.put(lambda seq=seq: self._end(seq))  # type: ignore[misc]
        with self._lock:
            put_off, self._put_off = self._put_off, []
        for press in put_off:
            self._jobs.put(lambda press=press: self._after_pause(press))  # type: ignore[misc]

    def stop(self) -> None:
        """Take nothing more. What is under way may end by itself."""
        self._stopping.set()
        for _ in self._threads:
            self._jobs.put(None)

    def _start(self) -> None:
        with self._lock:
            if self._threads:
                return
            names = [(self._work, f"tgm-acknowledge-{number}") for number in range(_THREADS)]
            names.append((self._look, "tgm-acknowledge-late"))
            self._threads = [
                threading.Thread(target=work, name=name, daemon=True) for work, name in names
            ]
        for thread in self._threads:
            thread.start()

    def _look(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self.flush(self._now())
            except Exception:
                log.exception("button presses could not be looked after; trying again")

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._stopping.is_set():
            try:
                job()
            except Exception:
                log.exception("a button press could not be answered")

    def _begin(self, seq: int) -> None:
        with self._lock:
            press = self._waiting.get(seq)
        # None: its delivery was quicker than this.
        if press is not None and self._wanted(press) is not Acknowledge.AFTER_DELIVERY:
            self._end(seq)

    def _after(self, seq: int) -> None:
        with self._lock:
            press = self._waiting.get(seq)
        reception = None if press is None else self._receptions.of_bot(press.bot_id)
        # Libraries often confirm an update before they answer the press in it, with words of their
        # own. A bare answer of TGM's would take those away.
        if reception is not None and not reception.leaves_presses:
            self._end(seq)

    def _end(self, seq: int) -> None:
        with self._lock:
            press = self._waiting.pop(seq, None)
        # Whoever takes it out of the waiting ones answers it, so that nobody does twice.
        wanted = Acknowledge.NEVER if press is None else self._wanted(press)
        if press is None or wanted is Acknowledge.NEVER:
            return
        if wanted is Acknowledge.AT_ONCE or self._notes.get(_NOTED, press.callback_id) is None:
            self._answer(press)

    def _wanted(self, press: _Press) -> Acknowledge:
        reception = self._receptions.of_bot(press.bot_id)
        return Acknowledge.NEVER if reception is None else reception.acknowledge

    def _answer(self, press: _Press) -> None:
        bot = self._snapshot.current().bots.get(press.bot_id)
        if bot is None or self._now() - press.received_at > _TOO_LATE:
            return
        if self._own.paused_for(bot) > 0:
            self._wait(press)
            return
        body = json.dumps({"callback_query_id": press.callback_id}).encode()
        try:
            token = opened(self._vault, bot)
            answer = self._call(token, body)
        except (TelegramUnreachable, SealBroken) as error:
            log.warning("a button press of bot %s stays unanswered: %s", press.bot_id, error)
            return
        pause = sends.asked_pause(answer) if bot.keeps_pace else None
        if pause is not None:
            self._own.pause(bot, pause)
            self._wait(press)
            return
        self.timings.append(round((time.monotonic() - press.began) * 1000))
        if answer.status != 200:
            log.warning(
                "Telegram refused to end a spinner of bot %s: %d", press.bot_id, answer.status
            )

    def _wait(self, press: _Press) -> None:
        # In no thread: the few that there are answer for other bots meanwhile.
        with self._lock:
            self._put_off.append(press)

    def _after_pause(self, press: _Press) -> None:
        if self._notes.get(_NOTED, press.callback_id) is None:
            self._answer(press)

    def _call(self, token: BotToken, body: bytes) -> ProxyAnswer:
        try:
            return self._call_once(token, body)
        except TelegramUnreachable as unreachable:
            if unreachable.failure is not Failure.BROKEN:
                raise
        # A kept connection was closed under the call. To answer twice does no harm.
        return self._call_once(token, body)

    def _call_once(self, token: BotToken, body: bytes) -> ProxyAnswer:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        with self._telegram.open_method(
            token, "answerCallbackQuery", verb="POST", query="", headers=headers, body=[body]
        ) as answer:
            return whole(answer.status, [], answer.read_up_to(64 * 1024))
