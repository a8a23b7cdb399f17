"""The proxy's one straight line: who, how often, may it, and over to Telegram.

It works on the WSGI environ and knows nothing of Flask: the blueprint's view calls it, and so may
anything in front of Flask's dispatch. A call costs no query and no commit, unless it carries an
Idempotency-Key.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from tgm.keys.snapshot import KnownBot, KnownKey, Snapshot
from tgm.proxy import files, forward, parameters, policy
from tgm.proxy.answers import ProxyAnswer, limit_headers, own
from tgm.proxy.callers import Callers, RateLimited
from tgm.proxy.entrance import API, Entrance, Environ
from tgm.proxy.fingerprint import fingerprint
from tgm.proxy.idempotency import WHOLE_BYTES, IdempotencyStore, Ticket, token_of
from tgm.proxy.presses import answered_press
from tgm.proxy.requestlog import RequestLog
from tgm.proxy.served import ServedCall, Server
from tgm.proxy.target import FileTarget, MethodTarget
from tgm.proxy.timing import Call, noted
from tgm.security.vault import SealBroken, Vault
from tgm.settings import MEBIBYTE, Settings
from tgm.shared.clock import utcnow
from tgm.shared.errors import TgmError
from tgm.shared.marks import SOURCE
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
    served: Mapping[str, Server] = field(default_factory=dict)
    """The methods, in lower case, that TGM answers itself."""

    def handle(
        self, environ: Environ, caller: KnownKey | None = None, entrance: Entrance = API
    ) -> ProxyAnswer:
        """Answer a call to a method or for a file. Never raises: errors are answers too.

        Only the body may raise while it is read, an OSError, where Telegram breaks off. With
        `caller`, who has been identified in another way, no API key is looked for.
        """
        call = Call(environ)
        headers: list[tuple[str, str]] = []
        try:
            call.key = key = caller or self._identify(environ, entrance)
            state = self.callers.count(key)
            headers = limit_headers(state)
            if not state.allowed:
                raise RateLimited(state)
            answer = self._answer(call, key, entrance)
        except RateLimited as error:
            answer = own(entrance.refusal(error))
            headers = limit_headers(error.state)
        except TelegramUnreachable as error:
            answer = own(entrance.refusal(error), error.failure)
        except TgmError as error:
            answer = own(entrance.refusal(error))
        except SealBroken as error:
            log.error("the token of bot %s cannot be opened: %s", call.bot and call.bot.id, error)
            answer = own(TgmError(_FAULT, code=500))
        except Exception:
            log.exception("unexpected error in the proxy")
            answer = own(TgmError(_FAULT, code=500))
        answer.headers += [*headers, (SOURCE, answer.source)]
        return noted(answer, call, self.request_log)

    def _identify(self, environ: Environ, entrance: Entrance) -> KnownKey:
        return self.callers.identify(entrance.key(environ), environ.get("REMOTE_ADDR") or "")

    def _answer(self, call: Call, key: KnownKey, entrance: Entrance) -> ProxyAnswer:
        environ = call.environ
        verb = environ["REQUEST_METHOD"]
        if verb not in {"GET", "POST"}:
            raise policy.WrongVerb("GET, POST")
        target = entrance.target(environ)
        if isinstance(target, MethodTarget):
            call.method = catalog.canonical(target.method)
        else:
            call.method = "file"
        call.bot = bot = policy.bot_for(key, entrance.bot(target, self.snapshot.current()))
        if call.bytes_in > self.settings.max_body_bytes:
            raise TgmError(
                "Request Entity Too Large: a file may have %(most)s MB at most",
                code=413,
                most=self.settings.max_upload_bytes // MEBIBYTE,
            )
        if isinstance(target, FileTarget):
            policy.check_file(key, verb)
            return files.download(
                self.telegram, self._token(bot), target, environ, self.settings.telegram_files_dir
            )
        policy.check_method(key, target.method)
        server = self.served.get(target.method.lower())
        if server is not None:
            given = parameters.read(environ, target.query, longest=MEBIBYTE)
            answer = server(ServedCall(key, bot, call.method, given, environ))
            if answer is not None:
                return answer
            environ["wsgi.input"].seek(0)
        header = environ.get("HTTP_IDEMPOTENCY_KEY")
        if header is None:
            return self._forward(environ, bot, target, forward.WHOLE_BYTES)
        return self._once(environ, key, bot, target, token_of(header))

    def _token(self, bot: KnownBot) -> BotToken:
        return BotToken(self.vault.open(bot.sealed_token, place=bot.token_place))

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
        if target.method.lower() == "answercallbackquery" and answer.status == 200:
            environ["wsgi.input"].seek(0)
            press = answered_press(environ, target.query)
            if press is not None:
                self.press_answered(press)
        return answer

    def _once(
        self, environ: Environ, key: KnownKey, bot: KnownBot, target: MethodTarget, token: str
    ) -> ProxyAnswer:
        """Make the call unless one with this Idempotency-Key was made: then return its answer."""
        body = forward.Body(environ)
        content_type = environ.get("CONTENT_TYPE") or ""
        asked = fingerprint(bot.id, target.method, target.query, content_type, body.blocks())
        body.rewind()
        begun = self.idempotency.begin(key.id, token, asked, utcnow())
        if not isinstance(begun, Ticket):
            return begun
        try:
            answer = self._forward(environ, bot, target, WHOLE_BYTES)
        except BaseException:
            self.idempotency.abandon(begun)
            raise
        try:
            self.idempotency.finish(begun, answer)
        except SQLAlchemyError:
            # Telegram has acted: its answer must reach the caller, who would otherwise call again.
            log.exception("an answer could not be remembered for its Idempotency-Key")
        return answer
