"""The proxy's one straight line: who, how often, may it, and over to Telegram.

It works on the WSGI environ and knows nothing of Flask: the blueprint's view calls it, and so may
anything in front of Flask's dispatch. A call costs no query and no commit, unless it carries an
Idempotency-Key.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from tgm.bots.tokens import opened
from tgm.keys.snapshot import KnownBot, KnownKey, Snapshot
from tgm.proxy import atonce, files, forward, parameters, policy, sends
from tgm.proxy.answers import ProxyAnswer, limit_headers, own
from tgm.proxy.asked import Asked
from tgm.proxy.atonce import Found
from tgm.proxy.callers import Callers, RateLimited
from tgm.proxy.entrance import API, Entrance, Environ
from tgm.proxy.fingerprint import fingerprint
from tgm.proxy.holding import Held
from tgm.proxy.idempotency import WHOLE_BYTES, IdempotencyStore, Ticket, token_of
from tgm.proxy.presses import ANSWERS, answered_press
from tgm.proxy.requestlog import RequestLog
from tgm.proxy.sending import Sending
from tgm.proxy.served import ServedCall, Server
from tgm.proxy.target import FileTarget, JobTarget, MethodTarget
from tgm.proxy.timing import Call, noted
from tgm.security.vault import SealBroken, Vault
from tgm.settings import MEBIBYTE, Settings
from tgm.shared.clock import utcnow
from tgm.shared.errors import TgmError
from tgm.shared.marks import SOURCE
from tgm.shared.waiting import WAITER
from tgm.telegram import catalog
from tgm.telegram.client import TelegramClient
from tgm.telegram.errors import TelegramUnreachable
from tgm.telegram.token import BotToken

log = logging.getLogger(__name__)

_FAULT = "Internal Server Error"


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Handles proxied calls. One for the whole process, shared between threads."""

    settings: Settings
    vault: Vault
    telegram: TelegramClient
    callers: Callers
    snapshot: Snapshot
    request_log: RequestLog
    idempotency: IdempotencyStore
    press_answered: Callable[[str], None]
    """Hears the callback_query_id of each button press that a program has answered itself."""
    sending: Sending
    served: Mapping[str, Server] = field(default_factory=dict)
    """The methods, in lower case, that TGM answers itself."""

    def handle(
        self,
        environ: Environ,
        entrance: Entrance = API,
        caller: KnownKey | None = None,
        found: Found | None = None,
    ) -> ProxyAnswer:
        """Answer a call to a method or for a file. Never raises: errors are answers too.

        Only the body may raise while it is read, an OSError, where Telegram breaks off. With
        `caller`, who has been identified in another way, no API key is looked for; `found` is what
        `at_once` has found out already.
        """
        call = Call(environ)
        headers: list[tuple[str, str]] = []
        try:
            known = found.caller if found else caller
            call.key = key = known or self._identify(environ, entrance)
            state = self.callers.count(key)
            headers = limit_headers(state)
            if not state.allowed:
                raise RateLimited(state)
            answer = self._answer(call, key, entrance, found)
        except Exception as error:  # noqa: BLE001 - those that nobody expects are logged
            answer = _refusal(error, call, entrance)
            if isinstance(error, RateLimited):
                headers = limit_headers(error.state)
        # Added in place: an answer that is given later takes what stands here then.
        answer.headers += [*headers, *entrance.headers, (SOURCE, answer.source)]
        return noted(answer, call, self.request_log)

    def at_once(
        self, environ: Environ, entrance: Entrance = API
    ) -> Callable[[Environ], ProxyAnswer] | None:
        """Return what answers the call without waiting for anything but Telegram; None where it may
        have to wait for the database, a turn or a limit's storage.

        What is returned needs a WAITER and HOLD in the environ, and a body that is in memory. The
        answer is a list of blocks then, or a `Later`.
        """
        known = self.snapshot.at_hand()
        if known is None or not self.settings.counts_in_memory:
            return None
        found = atonce.read(environ, entrance, known, self.served)
        return partial(self.handle, entrance=entrance, found=found) if found else None

    def _identify(self, environ: Environ, entrance: Entrance) -> KnownKey:
        return self.callers.identify(entrance.key(environ), environ.get("REMOTE_ADDR") or "")

    def _answer(
        self, call: Call, key: KnownKey, entrance: Entrance, found: Found | None
    ) -> ProxyAnswer:
        environ = call.environ
        target = found.target if found else entrance.target(environ)
        if isinstance(target, MethodTarget):
            call.method = catalog.canonical(target.method)
        else:
            call.method = "file" if isinstance(target, FileTarget) else "job"
        policy.check_verb(target, environ["REQUEST_METHOD"])
        known = found.known if found else self.snapshot.current()
        call.bot = bot = policy.bot_for(key, entrance.bot(target, known))
        if call.bytes_in > self.settings.max_body_bytes:
            raise TgmError(
                "Request Entity Too Large: a file may have %(most)s MB at most",
                code=413,
                most=self.settings.max_upload_bytes // MEBIBYTE,
            )
        if isinstance(target, FileTarget):
            policy.check_file(key)
            return files.download(
                self.telegram, self._token(bot), target, environ, self.settings.telegram_files_dir
            )
        if isinstance(target, JobTarget):
            return self.sending.outcome(environ, key, target)
        entrance.check(call.method)
        policy.check_method(key, target.method)
        server = self.served.get(target.method.lower())
        if server is not None:
            given = parameters.read(environ, target.query, longest=MEBIBYTE)
            served = ServedCall(
                key,
                bot,
                call.method,
                given,
                environ,
                check_again=partial(self._check_again, key, bot, target.method),
                refusal=partial(_refusal, call=call, entrance=entrance),
            )
            answer = server(served)
            if answer is not None:
                return answer
            environ["wsgi.input"].seek(0)
        return self._pass_on(call, key, bot, target, entrance)

    def _pass_on(
        self, call: Call, key: KnownKey, bot: KnownBot, target: MethodTarget, entrance: Entrance
    ) -> ProxyAnswer:
        """Make the call now, in its turn or later, unless its Idempotency-Key has an answer."""
        environ = call.environ
        wishes = sends.preferences(environ)
        header = environ.get("HTTP_IDEMPOTENCY_KEY")
        token = None if header is None else token_of(header)
        begun = None if token is None else self._begin(environ, key, bot, target, token)
        if isinstance(begun, ProxyAnswer):
            return begun
        if wishes.is_async and self.sending.may_queue(environ, key, target):
            queue = partial(self.sending.queue, environ, key, bot, target, token)
            return self._finish(begun, queue)
        whole_bytes = forward.WHOLE_BYTES if begun is None else WHOLE_BYTES
        if not bot.keeps_pace:
            if begun is None and WAITER in environ:
                return self._ask(call, bot, target, entrance)
            now = partial(self._forward, environ, bot, target, whole_bytes)
            return self._finish(begun, now)
        try:
            slot = self.sending.turn(environ, bot, target, wishes.wait)
        except BaseException:
            self._give_up(begun)
            raise
        later = partial(self._forward_later, environ, key, bot, target, whole_bytes)
        make = partial(self._finish, begun, later)
        refusal = partial(_refusal, call=call, entrance=entrance)
        return self.sending.hold(
            Held(environ, slot, make, refusal, partial(self._give_up, begun) if begun else None)
        )

    def _token(self, bot: KnownBot) -> BotToken:
        return opened(self.vault, bot)

    def _forward(
        self, environ: Environ, bot: KnownBot, target: MethodTarget, whole_bytes: int
    ) -> ProxyAnswer:
        answer = forward.call_method(
            self.telegram,
            self._token(bot),
            target,
            environ,
            whole_bytes=whole_bytes,
        )
        if bot.keeps_pace:
            self.sending.heed(bot, answer)
        if target.method.lower() == ANSWERS and answer.status == 200:
            environ["wsgi.input"].seek(0)
            press = answered_press(environ, target.query)
            if press is not None:
                self.press_answered(press)
        return answer

    def _ask(
        self, call: Call, bot: KnownBot, target: MethodTarget, entrance: Entrance
    ) -> ProxyAnswer:
        """Make the call without a thread that waits for the answer: see `at_once`."""
        environ, token = call.environ, self._token(bot)
        waiter = environ[WAITER]
        asked = Asked(
            environ,
            begin=partial(forward.begin_method, self.telegram, token, target, environ, waiter),
            make=partial(self._forward, environ, bot, target, forward.WHOLE_BYTES),
            end=partial(
                forward.answered, token=token, target=target, whole_bytes=forward.WHOLE_BYTES
            ),
            refusal=partial(_refusal, call=call, entrance=entrance),
        )
        return asked.announced()

    def _forward_later(
        self, environ: Environ, key: KnownKey, bot: KnownBot, target: MethodTarget, whole_bytes: int
    ) -> ProxyAnswer:
        """Make a call that may have been held: key and bot may have been changed meanwhile."""
        current = self._check_again(key, bot, target.method)
        return self._forward(environ, current, target, whole_bytes)

    def _check_again(self, key: KnownKey, bot: KnownBot, method: str) -> KnownBot:
        return policy.check_again(self.snapshot.current(), key, bot, method, time.time())

    def _begin(
        self, environ: Environ, key: KnownKey, bot: KnownBot, target: MethodTarget, token: str
    ) -> Ticket | ProxyAnswer:
        """Return the right to make the call, or the answer that it got with its Idempotency-Key."""
        body = forward.Body(environ)
        content_type = environ.get("CONTENT_TYPE") or ""
        asked = fingerprint(bot.id, target.method, target.query, content_type, body.blocks())
        body.rewind()
        return self.idempotency.begin(key.id, token, asked, utcnow())

    def _finish(self, begun: Ticket | None, make: Callable[[], ProxyAnswer]) -> ProxyAnswer:
        """Make the call, and remember the answer for its Idempotency-Key, where it has one."""
        if begun is None:
            return make()
        try:
            answer = make()
        except BaseException:
            self._give_up(begun)
            raise
        try:
            self.idempotency.finish(begun, answer)
        except SQLAlchemyError:
            # Telegram has acted: its answer must reach the caller, who would otherwise call again.
            log.exception("an answer could not be remembered for its Idempotency-Key")
        return answer

    def _give_up(self, begun: Ticket | None) -> None:
        if begun is not None:
            self.idempotency.abandon(begun)


def _refusal(error: Exception, call: Call, entrance: Entrance) -> ProxyAnswer:
    """Return an error as an answer. Called where it is caught."""
    if isinstance(error, TelegramUnreachable):
        return own(entrance.refusal(error), error.failure)
    if isinstance(error, TgmError):
        return own(entrance.refusal(error))
    if isinstance(error, SealBroken):
        log.error("the token of bot %s cannot be opened: %s", call.bot and call.bot.id, error)
    else:
        log.error("unexpected error in the proxy", exc_info=error)
    return own(TgmError(_FAULT, code=500))
