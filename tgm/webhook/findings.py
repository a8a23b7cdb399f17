"""What the Doctor looks at, and what it finds: data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ulid import ULID

from tgm.shared.errors import TgmError
from tgm.webhook.models import Mode


class Verdict(StrEnum):
    """How a finding is meant. NOTE is neither good nor bad: a fact that explains others."""

    GOOD = "good"
    ATTENTION = "attention"
    UNKNOWN = "unknown"
    NOTE = "note"


class Source(StrEnum):
    """Who says it: Telegram, or TGM by looking at what it has itself."""

    TELEGRAM = "telegram"
    LOCAL = "local"


class Repair(StrEnum):
    """What a person can do about it; the screen knows the button or the link."""

    REPLACE_TOKEN = "replace_token"  # noqa: S105 - a word, no token
    ENABLE = "enable"
    RECEIVE = "receive"
    TAKE_BACK = "take_back"
    REGISTER = "register"
    CHOOSE_KINDS = "choose_kinds"
    USE_POLLING = "use_polling"
    RESUME = "resume"
    SET_BASE_URL = "set_base_url"
    SEE_WAITING = "see_waiting"
    REPLAY_GIVEN_UP = "replay_given_up"
    ADD_ENDPOINT = "add_endpoint"
    CHANGE_ENDPOINT = "change_endpoint"
    RESUME_ENDPOINT = "resume_endpoint"
    TRY_ENDPOINT = "try_endpoint"


@dataclass(frozen=True)
class Finding:
    """One finding. `what` and `text` are English, marked for translation, with places for `params`.

    `said` is somebody else's text or an error's, None where there is none; `at` is when.
    `endpoint_id` says which endpoint the repairs are for.
    """

    source: Source
    verdict: Verdict
    what: str
    text: str
    params: Mapping[str, object] = field(default_factory=dict)
    said: str | TgmError | None = None
    at: datetime | None = None
    repairs: tuple[Repair, ...] = ()
    endpoint_id: ULID | None = None


class Whose(StrEnum):
    """Where the bot's webhook leads: to this TGM, to an earlier address of its, or elsewhere."""

    NOBODY = "nobody"
    OURS = "ours"
    FORMER = "former"
    OTHER = "other"


@dataclass(frozen=True)
class Me:
    """What getMe says. `sees_groups` is None where it does not say."""

    username: str
    sees_groups: bool | None


@dataclass(frozen=True)
class Hook:
    """What getWebhookInfo says. Never the URL itself, whose path is a secret: its host alone.

    `kinds` is None where Telegram names none, which means all but three.
    """

    whose: Whose
    host: str
    pending: int = 0
    ip: str | None = None
    error: str | None = None
    error_at: datetime | None = None
    trouble_at: datetime | None = None
    kinds: tuple[str, ...] | None = None


class Leads(StrEnum):
    """Where a name leads, as seen from this machine."""

    PUBLIC = "public"
    PRIVATE = "private"
    NOWHERE = "nowhere"


@dataclass(frozen=True)
class Base:
    """WEBHOOK_BASE_URL, taken apart."""

    url: str
    scheme: str
    port: int
    leads: Leads


@dataclass(frozen=True)
class Receiving:
    """How TGM receives. `problem_text` is what was noted last, None while all is well."""

    mode: Mode
    kinds: tuple[str, ...]
    is_held: bool = False
    problem_text: str | None = None
    checked_at: datetime | None = None


@dataclass(frozen=True)
class Receiver:
    """An endpoint. `refused` says why its URL may not be used, `warning` what may be wrong."""

    id: ULID
    name: str
    host: str
    kinds: tuple[str, ...] | None = None
    paused_because: str | None = None
    failing_since: datetime | None = None
    last_error: str | None = None
    failing: int = 0
    given_up: int = 0
    refused: str | None = None
    warning: str | None = None


@dataclass(frozen=True)
class Facts:
    """All that the rules need. Where Telegram gave no answer, the error stands in its place.

    `base` is None without WEBHOOK_BASE_URL. `own_server` tells whether TELEGRAM_API_BASE_URL leads
    to a Bot API server of one's own, which posts to any address. `lag` is how long the oldest
    delivery has waited, None where nothing waits.
    """

    now: datetime
    is_disabled: bool
    me: Me | TgmError
    hook: Hook | TgmError
    receiving: Receiving | None
    base: Base | None
    own_server: bool
    receivers: tuple[Receiver, ...]
    lag: timedelta | None = None
