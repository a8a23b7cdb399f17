"""Telling Telegram where a bot's updates go, so that TGM's own record agrees with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session
from ulid import ULID

from tgm.bots import service as bots
from tgm.bots.change import changing
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.security.credentials import digest, mint_link_token
from tgm.shared.clock import utcnow
from tgm.shared.errors import N_, Conflict, NotFound, TgmError
from tgm.telegram.errors import TelegramRefused, TelegramUnreachable
from tgm.telegram.token import BotToken
from tgm.webhook.models import Mode, Reception

PATH = "/api/v1/tg-webhook/"
# What a registration leaves alone.
_KEPT = {"bot_id", "acknowledge", "is_acknowledge_chosen", "is_paused", "started_at"}


@dataclass(frozen=True)
class Wanted:
    """Which updates to ask for, and over how many connections at most."""

    kinds: Sequence[str]
    max_connections: int


def register(bot: Bot, mode: Mode, wanted: Wanted) -> None:
    """Receive the bot's updates by `mode` from now on. Raises as Telegram answers, and Conflict
    where there is no public address; all is then as it was before."""
    if mode is Mode.WEBHOOK:
        _set_webhook(bot, wanted)
    else:
        _leave_webhook(bot, wanted)
    runtime.relay.wake_pollers()


def _set_webhook(bot: Bot, wanted: Wanted) -> None:
    base = runtime.settings.webhook_base_url
    if base is None:
        raise Conflict(N_("A webhook needs TGM's public address: set WEBHOOK_BASE_URL."))
    token, bot_id = bots.token_of(bot), bot.id
    path, secret = mint_link_token(), mint_link_token()
    url = f"{base}{PATH}{path.value}"
    # First in the database, as Telegram may post before it has answered.
    values = _values(Mode.WEBHOOK, wanted, digest(path.value), digest(secret.value))
    with changing() as session:
        before = _put(session, bot_id, values)
    try:
        _ask_for_webhook(token, url, secret.value, wanted)
    except BaseException as error:
        _put_back(bot_id, before, values, error)
        raise


def _ask_for_webhook(token: BotToken, url: str, secret: str, wanted: Wanted) -> None:
    try:
        runtime.telegram.call(
            token,
            "setWebhook",
            url=url,
            secret_token=secret,
            allowed_updates=list(wanted.kinds),
            max_connections=wanted.max_connections,
        )
    except TelegramUnreachable:
        # Whether it acted is unknown: the answer may have been lost on the way back.
        if info(token).get("url") != url:
            raise


def _leave_webhook(bot: Bot, wanted: Wanted) -> None:
    bot_id = bot.id
    runtime.telegram.call(bots.token_of(bot), "deleteWebhook", drop_pending_updates=False)
    with changing() as session:
        _put(session, bot_id, _values(Mode.POLLING, wanted, None, None))


def unregister(bot: Bot, path_digest: str | None) -> None:
    """Take TGM's webhook away at Telegram, and nobody else's. Raises as Telegram answers."""
    token = bots.token_of(bot)
    if is_ours(str(info(token).get("url", "")), path_digest):
        runtime.telegram.call(token, "deleteWebhook", drop_pending_updates=False)


def info(token: BotToken) -> dict[str, Any]:
    """Return what getWebhookInfo says. Raises as Telegram answers."""
    found = runtime.telegram.call(token, "getWebhookInfo")
    return found if isinstance(found, dict) else {}


def is_ours(url: str, path_digest: str | None) -> bool:
    """Tell whether a webhook's URL is the one that TGM has registered last."""
    place, _, path = urlsplit(url).path.rpartition("/")
    return place.endswith(PATH.rstrip("/")) and digest(path) == path_digest


def is_current(url: str, path_digest: str | None) -> bool:
    """Tell whether it also leads to TGM's address of today: tunnels get a new one each day."""
    base = runtime.settings.webhook_base_url
    return base is not None and url.startswith(base + PATH) and is_ours(url, path_digest)


def _values(
    mode: Mode, wanted: Wanted, path_digest: str | None, secret_digest: str | None
) -> dict[str, Any]:
    return {
        "mode": mode,
        "path_digest": path_digest,
        "secret_digest": secret_digest,
        "allowed_updates": list(wanted.kinds),
        "max_connections": wanted.max_connections,
        "offset": None,
        "lease_owner": None,
        "leased_until": None,
        "problem": None,
        "problem_text": None,
        "checked_at": None,
    }


def _put(session: Session, bot_id: ULID, values: dict[str, Any]) -> dict[str, Any] | None:
    """Write the reception, and return what it was before, None where there was none."""
    bot = session.get(Bot, bot_id)
    if bot is None:
        raise NotFound(N_("There is no such bot."))
    bot.receiving = values["mode"].value
    reception = session.get(Reception, bot_id)
    if reception is None:
        session.add(Reception(bot_id=bot_id, started_at=utcnow(), **values))
        return None
    before = {name: getattr(reception, name) for name in values if name not in _KEPT}
    for name, value in values.items():
        setattr(reception, name, value)
    return before


def _put_back(
    bot_id: ULID, before: dict[str, Any] | None, tried: dict[str, Any], error: BaseException
) -> None:
    with changing() as session:
        reception = session.get(Reception, bot_id)
        if reception is None or reception.path_digest != tried["path_digest"]:
            # Somebody has registered it again meanwhile: theirs counts.
            return
        if before is None:
            session.delete(reception)
            session.get_one(Bot, bot_id).receiving = None
            return
        _put(session, bot_id, before)
        if isinstance(error, TgmError):
            reception.problem = problem_of(error)
            reception.problem_text = error.description[:1000]


def problem_of(error: TgmError) -> str:
    """Return the word for what is wrong: Telegram said no, or nothing."""
    return "refused" if isinstance(error, TelegramRefused) else "unreachable"
