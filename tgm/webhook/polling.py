"""Receiving without a public address: long polls that feed the same inbox as the webhook."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tgm.bots.tokens import opened
from tgm.security.vault import SealBroken, Vault
from tgm.shared.clock import utcnow
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import TelegramRefused, TelegramUnreachable
from tgm.webhook import facts
from tgm.webhook.inbox import Inbox, NotStored
from tgm.webhook.leases import Leases, Turn

log = logging.getLogger(__name__)

POLL_SECONDS = 50
_LONGEST_PAUSE = 60
# A server that does not wait, as the Bot API does, must not be asked without end.
_PAUSE_AFTER_NOTHING = 1.0
# Leases last 30 s, and a bot that has just been switched to polling waits this long at most.
_ROUND_SECONDS = 2
# One lost connection is nothing to show to anybody.
_FAILURES_TO_SHOW = 3
_JOIN_SECONDS = 3


def pause_after(failures: int, retry_after: int | None) -> float:
    """Return how many seconds to wait after so many failures in a row: 1, 2, 4 … 60.

    `retry_after` is what Telegram asked for, which is honoured as it is.
    """
    if retry_after is not None:
        return float(max(1, retry_after))
    return float(min(_LONGEST_PAUSE, 2 ** (min(failures, 10) - 1)))


@dataclass(frozen=True)
class Tools:
    """What every poller works with. `clock` returns seconds that never go back."""

    leases: Leases
    vault: Vault
    telegram: TelegramClient
    inbox: Inbox
    poll_seconds: int = POLL_SECONDS
    now: Callable[[], datetime] = utcnow
    clock: Callable[[], float] = time.monotonic


class Poller:
    """Polls one bot. `turn` does one poll and never raises."""

    def __init__(self, tools: Tools, bot_id: str) -> None:
        self._tools = tools
        self._bot_id = bot_id
        self._poll = tools.telegram.long_poll()
        self._failures = 0
        self._shown: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"tgm-poll-{bot_id}", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it goes on polling."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Break off what is under way. Does not wait: see `join`."""
        self._stopping.set()
        self._poll.close()

    def join(self) -> None:
        """Wait a little for the end."""
        self._thread.join(_JOIN_SECONDS)

    def _work(self) -> None:
        while not self._stopping.is_set():
            pause = self.turn()
            if pause is None:
                break
            self._stopping.wait(pause)
        self._poll.close()

    def turn(self) -> float | None:
        """Ask once, store, and say how many seconds to wait: None when the bot is not ours now."""
        try:
            turn = self._tools.leases.turn(self._bot_id, self._tools.now())
            if turn is None:
                return None
            pause = self._ask(turn)
        except TelegramRefused as refused:
            return self._failed(_problem(refused.code), refused.description, refused.retry_after)
        except TelegramUnreachable as unreachable:
            return self._failed("unreachable", unreachable.description)
        except (NotStored, SealBroken) as error:
            log.error("polling bot %s: %s", self._bot_id, error)
            return self._failed(None, "")
        except Exception:
            log.exception("polling bot %s failed and goes on", self._bot_id)
            return self._failed(None, "")
        self._failures, self._shown = 0, None
        return pause

    def _ask(self, turn: Turn) -> float:
        tools = self._tools
        token = opened(tools.vault, turn)
        began = tools.clock()
        raws = self._poll.ask(
            token,
            offset=turn.offset,
            seconds=tools.poll_seconds,
            allowed_updates=turn.allowed_updates,
        )
        items = [(raw, found) for raw in raws if (found := self._read(raw)) is not None]
        # Asking for an offset confirms what lies before it, so that it need not be repeated, and
        # must not: after a quiet week Telegram may begin anew at a lower number.
        offset = items[-1][1].update_id + 1 if items else None
        if items:
            tools.inbox.put_many(self._bot_id, items, tools.now())
        # Only now, after the commit, may the next poll confirm them.
        if offset != turn.offset or turn.problem is not None:
            tools.leases.note(self._bot_id, offset=offset, problem=None, problem_text=None)
        waited = tools.clock() - began
        return 0.0 if items or waited >= _PAUSE_AFTER_NOTHING else _PAUSE_AFTER_NOTHING

    def _read(self, raw: bytes) -> facts.Facts | None:
        try:
            return facts.read(raw)
        except facts.BadUpdate:
            log.error("polling bot %s: Telegram sent what is no update", self._bot_id)
            return None

    def _failed(self, problem: str | None, text: str, retry_after: int | None = None) -> float:
        if self._stopping.is_set():
            return 0.0
        self._failures += 1
        is_lasting = problem != "unreachable" or self._failures >= _FAILURES_TO_SHOW
        if problem is not None and problem != self._shown and is_lasting:
            self._show(problem, text)
        return pause_after(self._failures, retry_after)

    def _show(self, problem: str, text: str) -> None:
        try:
            self._tools.leases.note(self._bot_id, problem=problem, problem_text=text[:1000])
            self._shown = problem
        except Exception:
            log.exception("polling bot %s: its problem could not be noted", self._bot_id)


def _problem(code: int) -> str | None:
    # 409 is Telegram's word for a webhook or another poller. A flood limit passes by itself.
    return {409: "taken_over", 429: None}.get(code, "refused")


class Pollers:
    """Keeps one poller for each bot that this process has the lease of."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._pollers: dict[str, Poller] = {}
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._work, name="tgm-pollers", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once: a bot's way of receiving has just changed."""
        self._wake.set()

    def stop(self) -> None:
        """Break every poll off, and let other processes take over."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        for poller in self._pollers.values():
            poller.stop()
        for poller in self._pollers.values():
            poller.join()
        self._tools.leases.release()

    def round(self) -> None:
        """Renew the leases, begin with what is new, and end what is no longer ours."""
        held = self._tools.leases.hold(self._tools.now())
        for bot_id in [each for each in self._pollers if each not in held]:
            self._pollers.pop(bot_id).stop()
        for bot_id in held:
            poller = self._pollers.get(bot_id)
            if poller is None or not poller.is_alive:
                self._pollers[bot_id] = poller = Poller(self._tools, bot_id)
                poller.start()

    def _work(self) -> None:
        while True:
            self._wake.clear()
            # Asked after that: who stops this says so first, and wakes it then.
            if self._is_stopping:
                return
            try:
                self.round()
            except Exception:
                log.exception("the pollers could not be looked after; trying again")
            self._wake.wait(_ROUND_SECONDS)
