"""What the running application holds beside Flask's own, made once in `create_app`."""

from dataclasses import dataclass, field

from tgm.dropin.polls import Polls
from tgm.keys.snapshot import Snapshot
from tgm.live.hub import Hub
from tgm.proxy.gateway import Gateway
from tgm.proxy.idempotency import IdempotencyStore
from tgm.proxy.requestlog import RequestLog
from tgm.proxy.sending import Sending
from tgm.security.vault import Vault
from tgm.settings import Settings
from tgm.shared.limits import Limits
from tgm.telegram.client import TelegramClient
from tgm.webhook.relay import Relay


@dataclass(frozen=True)
class Runtime:
    """Shared between threads; services reach it through `extensions.runtime`."""

    settings: Settings
    vault: Vault
    telegram: TelegramClient
    limits: Limits
    snapshot: Snapshot
    request_log: RequestLog
    idempotency: IdempotencyStore
    gateway: Gateway
    relay: Relay
    polls: Polls
    sending: Sending
    live: Hub = field(default_factory=Hub)
