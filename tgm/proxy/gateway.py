"""The proxy's one straight line: who, how often, may it, and over to Telegram.

It works on the WSGI environ and knows nothing of Flask: the blueprint's view calls it, and so may
anything in front of Flask's dispatch. A call costs no query and no commit, unless it carries an
Idempotency-Key.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tgm.keys.snapshot import Snapshot
from tgm.proxy import files, forward, policy
from tgm.proxy.answers import SOURCE, ProxyAnswer, limit_headers, own
from tgm.proxy.callers import Callers, RateLimited
from tgm.proxy.fingerprint import fingerprint
from tgm.proxy.idempotency import WHOLE_BYTES, IdempotencyStore, Ticket, token_of
from tgm.proxy.requestlog import RequestLog
from tgm.proxy.target import FileTarget, MethodTarget, parse
from tgm.proxy.timing import Call, Counted
from tgm.security.vault import SealBroken, Vault
from tgm.settings import MEBIBYTE, Settings
from tgm.shared.clock import utcnow
from tgm.shared.errors import TgmError
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

    def handle(self, environ: Mapping[str, Any]) -> ProxyAnswer:
        """Answer a call to a method or for a file. Never raises: errors are answers too.

        Only the body may raise while it is read, an OSError, where Telegram breaks off.
        """
        call = Call(environ)
        headers: list[tuple[str, str]] = []
        try:
            call.key = self.callers.identify(environ)
            state = self.callers.count(call.key)
            headers = limit_headers(state)
            if not state.allowed:
                raise RateLimited(state)
            answer = self._answer(call)
        except RateLimited as error:
            answer = own(error)
            headers = limit_headers(error.state)
        except TelegramUnreachable as error:
            answer = own(error, error.failure)
        except TgmError as error:
            answer = own(error)
        except SealBroken as error:
            log.error("the token of bot %s cannot be opened: %s", call.bot and call.bot.id, error)
            answer = own(TgmError(_FAULT, code=500))
        except Exception:
            log.exception("unexpected error in the proxy")
            answer = own(TgmError(_FAULT, code=500))
        answer.headers += [*headers, (SOURCE, answer.source)]
        if call.key is not None:
            answer.body = Counted(answer, call, self.request_log.add)
        return answer

    def _answer(self, call: Call) -> ProxyAnswer:
        assert call.key is not None
        environ = call.environ
        if environ["REQUEST_METHOD"] not in {"GET", "POST"}:
            raise TgmError("Method Not Allowed: use GET or POST", code=405)
        target = parse(environ["REQUEST_URI"])
        if isinstance(target, MethodTarget):
            call.method = catalog.canonical(target.method)
        else:
            call.method = "file"
        call.bot = policy.bot_for(call.key, self.snapshot.current().bots.get(target.bot_id))
        if call.bytes_in > self.settings.max_body_bytes:
            raise TgmError(
                "Request Entity Too Large: a file may have %(most)s MB at most",
                code=413,
                most=self.settings.max_upload_bytes // MEBIBYTE,
            )
        if isinstance(target, FileTarget):
            policy.check_file(call.key)
            return files.download(
                self.telegram, self._token(call), target, environ, self.settings.telegram_files_dir
            )
        policy.check_method(call.key, call.bot, target.method)
        header = environ.get("HTTP_IDEMPOTENCY_KEY")
        if header is None:
            return self._forward(call, target, forward.WHOLE_BYTES)
        return self._once(call, target, token_of(header))

    def _token(self, call: Call) -> BotToken:
        assert call.bot is not None
        return BotToken(self.vault.open(call.bot.sealed_token, place=call.bot.token_place))

    def _forward(self, call: Call, target: MethodTarget, whole_bytes: int) -> ProxyAnswer:
        return forward.call_method(
            self.telegram,
            self._token(call),
            target,
            call.environ,
            webhook_base_url=self.settings.webhook_base_url,
            whole_bytes=whole_bytes,
        )

    def _once(self, call: Call, target: MethodTarget, token: str) -> ProxyAnswer:
        """Make the call unless one with this Idempotency-Key was made: then return its answer."""
        assert call.key is not None
        body = forward.Body(call.environ)
        content_type = call.environ.get("CONTENT_TYPE") or ""
        asked = fingerprint(target.bot_id, target.method, target.query, content_type, body.blocks())
        body.rewind()
        begun = self.idempotency.begin(call.key.id, token, asked, utcnow())
        if not isinstance(begun, Ticket):
            return begun
        try:
            answer = self._forward(call, target, WHOLE_BYTES)
        except BaseException:
            self.idempotency.abandon(begun)
            raise
        self.idempotency.finish(begun, answer)
        return answer
