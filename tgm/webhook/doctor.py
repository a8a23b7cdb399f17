"""The Doctor: asks Telegram and looks around, and says what it finds. Changes nothing."""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ulid import ULID

from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.security.outbound import Outbound, UrlRefused
from tgm.security.vault import SealBroken
from tgm.shared.clock import utcnow
from tgm.shared.errors import TgmError
from tgm.telegram.errors import Failure, TelegramUnreachable
from tgm.telegram.token import BotToken
from tgm.telegram.upstream import is_cloud
from tgm.webhook import endpoints, reading, receiving, registration
from tgm.webhook.checking import host
from tgm.webhook.diagnosis import TokenSealed, examine
from tgm.webhook.findings import (
    Base,
    Facts,
    Finding,
    Hook,
    Leads,
    Me,
    Receiver,
    Receiving,
    Whose,
)
from tgm.webhook.models import Endpoint, Reception
from tgm.webhook.reading import Summary

# A person waits for the page.
PATIENCE_SECONDS = 15
_AT_ONCE = 8
_LONGEST = 1000
# A shorter part of a path is a word such as "hook".
_LIKE_A_SECRET = 8
_BETWEEN = re.compile(r"[/?#&=;]")
_PORTS = {"https": 443, "http": 80}


def of_bot(team_id: ULID, bot_id: ULID) -> list[Finding]:
    """Examine a bot. It takes as long as Telegram takes to answer; raises NotFound alone."""
    return examine(gather(bots.get(team_id, bot_id), utcnow()))


def gather(bot: Bot, now: datetime) -> Facts:
    """Collect the facts. Whatever cannot be had stands in them as an error."""
    reception = receiving.of_bot(bot.id)
    me, hook = _ask(bot, reception)
    stands = reading.by_endpoint(bot.id, now)
    base = runtime.settings.webhook_base_url
    return Facts(
        now=now,
        is_disabled=bot.is_disabled,
        me=me,
        hook=hook,
        receiving=None if reception is None else _receiving(reception),
        base=None if base is None else _base(base),
        own_server=not is_cloud(bot.api_base_url or runtime.settings.telegram_api_base_url),
        receivers=_receivers(bot.id, stands),
        lag=max((one.lag for one in stands.values() if one.lag is not None), default=None),
    )


def _ask(bot: Bot, reception: Reception | None) -> tuple[Me | TgmError, Hook | TgmError]:
    try:
        token = bots.token_of(bot)
    except SealBroken:
        return TokenSealed(), TokenSealed()
    telegram = runtime.telegram.within(PATIENCE_SECONDS)
    try:
        me = _me(telegram.call(token, "getMe"), token)
    except TgmError as error:
        return error, error
    try:
        found = telegram.call(token, "getWebhookInfo")
    except TgmError as error:
        return me, error
    path_digest = reception.path_digest if reception else None
    return me, hook_of(found, token, lambda url: _whose(url, path_digest))


def _me(found: object, token: BotToken) -> Me:
    given = found if isinstance(found, dict) else {}
    username, sees = given.get("username"), given.get("can_read_all_group_messages")
    if given.get("id") != token.telegram_id or not isinstance(username, str):
        raise TelegramUnreachable(Failure.PROTOCOL)
    return Me(username, sees if isinstance(sees, bool) else None)


def hook_of(found: object, token: BotToken, whose: Callable[[str], Whose]) -> Hook:
    """Read what getWebhookInfo gave, whatever it is, and leave out what is secret in it."""
    given: Mapping[str, Any] = found if isinstance(found, dict) else {}
    url = given.get("url")
    url = url if isinstance(url, str) else ""
    error, pending, kinds = (
        given.get(name)
        for name in ("last_error_message", "pending_update_count", "allowed_updates")
    )
    return Hook(
        whose=whose(url),
        host=_host(url),
        pending=pending if isinstance(pending, int) and pending > 0 else 0,
        ip=_ip(given.get("ip_address")),
        error=_masked(error, url, token) if isinstance(error, str) and error else None,
        error_at=_moment(given.get("last_error_date")),
        trouble_at=_moment(given.get("last_synchronization_error_date")),
        kinds=tuple(map(str, kinds)) if isinstance(kinds, list) and kinds else None,
    )


def _whose(url: str, path_digest: str | None) -> Whose:
    if not url:
        return Whose.NOBODY
    try:
        if registration.is_current(url, path_digest):
            return Whose.OURS
        return Whose.FORMER if registration.is_ours(url, path_digest) else Whose.OTHER
    except ValueError:
        return Whose.OTHER


def _host(url: str) -> str:
    try:
        return host(url)
    except ValueError:
        return ""


def _masked(text: str, url: str, token: BotToken) -> str:
    """Leave out of Telegram's text what stands behind the host of the webhook, and the token."""
    text = text.replace(token.value, "[token]")
    behind = _BETWEEN.split(url.partition("://")[2])[1:]
    for part in sorted({url, *behind}, key=len, reverse=True):
        if len(part) >= _LIKE_A_SECRET:
            text = text.replace(part, "[…]")
    return text[:_LONGEST]


def _ip(found: object) -> str | None:
    try:
        return str(ip_address(str(found)))
    except ValueError:
        return None


def _moment(found: object) -> datetime | None:
    if not isinstance(found, int) or isinstance(found, bool) or found <= 0:
        return None
    try:
        return datetime.fromtimestamp(found, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _receiving(reception: Reception) -> Receiving:
    return Receiving(
        reception.mode,
        tuple(reception.allowed_updates),
        reception.is_paused,
        reception.problem_text if reception.problem else None,
        reception.checked_at,
    )


def _base(url: str) -> Base:
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    # Asked as if it were an endpoint: whether its name leads to public addresses alone.
    outbound = Outbound(())
    try:
        leads = Leads.NOWHERE if outbound.check(f"https://{parts.netloc}") else Leads.PUBLIC
    except UrlRefused:
        leads = Leads.PRIVATE
    return Base(url, parts.scheme, port, leads)


def _receivers(bot_id: ULID, stands: Mapping[ULID, Summary]) -> tuple[Receiver, ...]:
    found, outbound = endpoints.of_bot(bot_id), runtime.relay.outbound

    def check(url: str) -> tuple[str | None, str | None]:
        try:
            return None, outbound.check(url)
        except UrlRefused as refused:
            return refused.message, None

    # Each may wait for a name that leads nowhere.
    with ThreadPoolExecutor(_AT_ONCE, "tgm-doctor") as pool:
        checked = list(pool.map(check, [one.url for one in found]))
    return tuple(
        _receiver(one, stands.get(one.id, Summary()), *notes)
        for one, notes in zip(found, checked, strict=True)
    )


def _receiver(one: Endpoint, stand: Summary, refused: str | None, warning: str | None) -> Receiver:
    return Receiver(
        id=one.id,
        name=one.name,
        host=host(one.url),
        kinds=None if one.kinds is None else tuple(one.kinds),
        paused_because=one.paused_because,
        failing_since=one.failing_since,
        last_error=one.last_error,
        failing=stand.failing,
        given_up=stand.given_up,
        refused=refused,
        warning=warning,
    )
