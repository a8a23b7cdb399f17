"""Which calls wait for nothing but Telegram. Pure rules, no input or output."""

import time
from collections.abc import Container
from typing import NamedTuple

from tgm.keys.snapshot import Known, KnownKey
from tgm.proxy.entrance import Entrance, Environ
from tgm.proxy.presses import ANSWERS
from tgm.proxy.target import MethodTarget
from tgm.security.credentials import digest
from tgm.shared.errors import TgmError


class Found(NamedTuple):
    """Who calls, and what is asked for, as of what was `known` then."""

    caller: KnownKey
    target: MethodTarget
    known: Known


def read(
    environ: Environ, entrance: Entrance, known: Known, served: Container[str]
) -> Found | None:
    """Return who calls and what is asked for, None where the call may have to wait.

    An Idempotency-Key, a queue and a bad key lead to the database; a bot that keeps its pace, to a
    turn; a press that is answered, to what processes share; what is `served` by TGM, anywhere.
    """
    if "HTTP_IDEMPOTENCY_KEY" in environ or "HTTP_PREFER" in environ:
        return None
    try:
        target = entrance.target(environ)
        key = known.keys.get(digest(entrance.key(environ)))
    except TgmError:
        return None
    if not isinstance(target, MethodTarget) or key is None or key.refusal(time.time()):
        return None
    bot = entrance.bot(target, known)
    method = target.method.lower()
    if bot is None or bot.keeps_pace or method == ANSWERS or method in served:
        return None
    return Found(key, target, known)
