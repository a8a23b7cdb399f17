"""The acts and their details in words, for the screen. A code without words is shown as it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from flask_babel import lazy_gettext as _

# By what they are about, as the filter offers them.
GROUPS = (
    (
        _("Bots"),
        {
            "bot.added": _("Bot added"),
            "bot.deleted": _("Bot deleted"),
            "bot.disabled": _("Bot disabled"),
            "bot.enabled": _("Bot enabled"),
            "bot.move_began": _("Bot's move to another server begun"),
            "bot.move_left_behind": _("Bot's old server left without its answer"),
            "bot.move_turned_back": _("Bot's move turned back"),
            "bot.moved": _("Bot moved to another server"),
            "bot.pace": _("Telegram's pace turned on or off"),
            "bot.renamed": _("Bot renamed"),
            "bot.token_replaced": _("Bot's token replaced"),
            "consumer.began": _("Program began to receive"),
            "receiving.acknowledge": _("Chosen when button presses are answered"),
            "receiving.ended": _("Bot handed back"),
            "receiving.paused": _("Bot's deliveries held"),
            "receiving.resumed": _("Bot's deliveries resumed"),
            "receiving.set": _("Receiving set up"),
        },
    ),
    (
        _("API keys"),
        {
            "key.changed": _("API key changed"),
            "key.made": _("API key made"),
            "key.refused": _("API key refused"),
            "key.revoked": _("API key revoked"),
            "key.rotated": _("API key rotated"),
        },
    ),
    (
        _("Endpoints and deliveries"),
        {
            "deliveries.replayed": _("Deliveries replayed"),
            "delivery.replayed": _("Delivery replayed"),
            "endpoint.added": _("Endpoint added"),
            "endpoint.changed": _("Endpoint changed"),
            "endpoint.hurried": _("Endpoint tried again"),
            "endpoint.paused": _("Endpoint paused"),
            "endpoint.removed": _("Endpoint removed"),
            "endpoint.resumed": _("Endpoint resumed"),
            "endpoint.secret_rotated": _("Endpoint's secret rotated"),
            "endpoint.tested": _("Test update sent"),
        },
    ),
    (
        _("People and sign-in"),
        {
            "invitation.revoked": _("Invitation revoked"),
            "password.changed": _("Password changed"),
            "password.reset": _("Password reset"),
            "recovery_code.used": _("Recovery code used"),
            "recovery_codes.renewed": _("Recovery codes renewed"),
            "role.changed": _("Role changed"),
            "session.ended": _("Session ended"),
            "totp.disabled": _("Two-step sign-in turned off"),
            "totp.enabled": _("Two-step sign-in turned on"),
            "user.added": _("Person added"),
            "user.invited": _("Person invited"),
            "user.joined": _("Person joined"),
            "user.removed": _("Person removed"),
            "user.set_up": _("TGM set up"),
            "user.sign_in_refused": _("Sign-in refused"),
            "user.signed_in": _("Signed in"),
            "user.signed_out": _("Signed out"),
            "user.signed_out_elsewhere": _("Signed out everywhere else"),
            "user.signed_out_everywhere": _("Signed out everywhere"),
        },
    ),
    (
        _("Installation"),
        {
            "encryption_keys.rotated": _("Secrets sealed under a newer key"),
            "team.added": _("Team added"),
        },
    ),
)
ACTIONS = {action: words for _about, acts in GROUPS for action, words in acts.items()}

# Who acts, where it is no person.
ACTORS = {
    "command line": _("the command line"),
    "API key": _("an API key"),
    "TGM": _("TGM itself"),
    "unknown": _("somebody unknown"),
}

DETAILS = {
    "after": _("after"),
    "before": _("before"),
    "because": _("because"),
    "bot": _("bot"),
    "bots": _("bots"),
    "deliveries": _("deliveries"),
    "endpoints": _("endpoints"),
    "expires_at": _("expires"),
    "host": _("host"),
    "invited_by": _("invited by"),
    "keeps_pace": _("on"),
    "key": _("API key"),
    "kind": _("kind"),
    "kinds": _("kinds"),
    "methods": _("methods"),
    "mode": _("how"),
    "new_id": _("new id"),
    "new_name": _("new name"),
    "per_minute": _("calls per minute"),
    "reason": _("reason"),
    "role": _("role"),
    "rotated_from": _("rotated from"),
    "server": _("server"),
    "sessions": _("sessions"),
    "successor": _("successor"),
    "takes_answers": _("its answers may name a method"),
    "username": _("user name"),
    "users": _("people"),
    "when": _("when"),
    "works_until": _("works until"),
}

_VALUES = {
    "True": _("yes"),
    "False": _("no"),
    "owner": _("Owner"),
    "admin": _("Admin"),
    "member": _("Member"),
    "viewer": _("Viewer"),
    "webhook": _("by webhook"),
    "polling": _("by polling"),
    "at_once": _("at once"),
    "after_delivery": _("after the delivery"),
    "never": _("never"),
    "wrong password": _("wrong password"),
    "wrong code": _("wrong code"),
    "unknown account": _("unknown account"),
    "key_revoked": _("the key is revoked"),
    "key_expired": _("the key has expired"),
    "no_key": _("no API key of its program works any more"),
}
_IN_WORDS = {
    "after",
    "because",
    "before",
    "keeps_pace",
    "mode",
    "reason",
    "role",
    "takes_answers",
    "when",
}
_TIMES = {"expires_at", "works_until"}
_CODES = {
    "host",
    "key",
    "server",
    "kind",
    "kinds",
    "methods",
    "new_id",
    "rotated_from",
    "successor",
    "username",
}


@dataclass(frozen=True)
class Detail:
    """A detail of an act. `value` is a datetime where `kind` says so, else a text."""

    label: Any
    value: Any
    kind: Literal["text", "code", "time"]


def details(facts: Mapping[str, Any] | None, bot_names: Mapping[str, str]) -> Iterator[Detail]:
    """Yield an act's details in words; `bot_names` gives names for the ids of bots."""
    for name, value in (facts or {}).items():
        if value is not None and value != []:
            yield _detail(name, value, bot_names)


def _detail(name: str, value: Any, bot_names: Mapping[str, str]) -> Detail:
    label = DETAILS.get(name, name.replace("_", " "))
    if name in _TIMES:
        return Detail(label, datetime.fromisoformat(value), "time")
    if name in {"bot", "bots"} and value == "*":
        return Detail(label, _("all"), "text")
    parts = value if isinstance(value, list) else [value]
    texts = [bot_names.get(str(part), str(part)) for part in parts]
    if name in _IN_WORDS:
        texts = [str(_VALUES.get(text, text)) for text in texts]
    return Detail(label, ", ".join(texts), "code" if name in _CODES else "text")
