"""A team that has been at work for a while: what its screens look like with something on them."""

from dataclasses import dataclass
from datetime import timedelta

from ulid import ULID

from tests.fakes.telegram import OTHER_TOKEN, TOKEN, FakeTelegram
from tests.making import PASSWORD
from tests.pictures import a_png
from tests.webhook.rows import (
    an_update,
    make_attempt,
    make_delivery,
    make_endpoint,
    make_reception,
)
from tgm.audit.service import Actor
from tgm.auth import service as people
from tgm.auth.roles import Role
from tgm.auth.service import Person
from tgm.bots import photos
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.extensions import runtime
from tgm.keys import service as keys
from tgm.keys.models import ApiKey
from tgm.keys.rights import Rights
from tgm.proxy.requestlog import LogRow
from tgm.shared.clock import utcnow
from tgm.shared.ids import new_id
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.testsend import service as testsend
from tgm.testsend.compose import Call
from tgm.webhook.models import Mode, State
from tgm.webhook.replay import Filter
from tgm.webhook.replaying import replays

LONG_NAME = "Notifications of the warehouse in Yogyakarta"


@dataclass(frozen=True)
class Relayed:
    """What the relay has done."""

    endpoint_id: ULID
    delivery_id: ULID
    replay_id: ULID


@dataclass(frozen=True)
class Stock:
    """What was made, by what the addresses of screens call it."""

    owner: Person
    bot: Bot
    key: ApiKey
    colleague_id: ULID
    invitation: str
    relayed: Relayed
    template_id: ULID

    @property
    def values(self) -> dict[str, str]:
        """Return a value for each argument of a screen's address."""
        return {
            "bot_id": str(self.bot.id),
            "key_id": str(self.key.id),
            "user_id": str(self.colleague_id),
            "endpoint_id": str(self.relayed.endpoint_id),
            "delivery_id": str(self.relayed.delivery_id),
            "replay_id": str(self.relayed.replay_id),
            "template_id": str(self.template_id),
            # The log of a new database begins with it.
            "row_id": "1",
        }


def make_stock(owner: Person, telegram: FakeTelegram) -> Stock:
    """Fill the owner's team."""
    place, actor, now = owner.places[0], Actor(owner.email, "192.0.2.7"), utcnow()
    team = place.team_id
    telegram.add_bot(OTHER_TOKEN, LONG_NAME, "tgm_gudang_yogyakarta_bot")
    bot = bots.add(team, TOKEN, "Kasir", actor)
    warehouse = bots.add(team, OTHER_TOKEN, None, actor)
    telegram.add_photo(TOKEN, a_png())
    # Each is asked about in its turn.
    assert photos.fetch_due(utcnow())
    assert photos.fetch_due(utcnow())
    bots.disable(team, warehouse.id, actor)
    key, _ = keys.make(team, Rights("Shop"), actor)
    only = frozenset({bot.id, warehouse.id})
    keys.make(
        team, Rights(LONG_NAME, only, "send* edit* getMe", 600, now + timedelta(days=90)), actor
    )
    old, _ = keys.make(team, Rights("Last year's shop"), actor)
    keys.revoke(team, old.id, actor)
    colleague = people.add_user("budi@example.com", PASSWORD, Role.ADMIN, team, actor)
    people.add_user("siti.nurhaliza@warehouse.example.com", PASSWORD, Role.VIEWER, team, actor)
    token = people.invite(place, Role.MEMBER, None, actor, now)
    people.invite(place, Role.VIEWER, "wati@example.com", actor, now)
    _note_calls(team, bot, key)
    relayed = _relay(team, bot, actor)
    return Stock(owner, bot, key, colleague.id, token.value, relayed, _try_out(owner, bot))


def _try_out(owner: Person, bot: Bot) -> ULID:
    """Send a message from the screen, and keep it as a template."""
    place, said = owner.places[0], {"chat_id": 523067421, "text": "Your order is on its way."}
    testsend.send(owner, place, Call(str(bot.id), "sendMessage", said), new_id())
    return testsend.save(place, "On its way", bot.id, "sendMessage", said, owner.email).id


def _relay(team: ULID, bot: Bot, actor: Actor) -> Relayed:
    """Receive for the bot: one endpoint that works, one that fails, and what went to them."""
    now = utcnow()
    make_reception(bot.id, Mode.POLLING, allowed_updates=list(UPDATE_KINDS))
    good = make_endpoint(bot.id, "Shop")
    failing = make_endpoint(bot.id, "Staging", last_error="HTTP 503", failing_since=now)
    for number in range(12):
        text = f"Ada orderan masuk #{2437234 + number}. Konfirmasi?"
        at = now - timedelta(minutes=12 - number)
        done = {"state": State.DELIVERED, "attempts_made": 1, "last_status": 200, "next_at": None}
        delivery = make_delivery(good, an_update(number, text), at=at, finished_at=at, **done)
        make_attempt(delivery, status=200, milliseconds=41, response_body=b'{"ok":true}')
    late = make_delivery(
        failing, an_update(50), attempts_made=2, last_status=503, last_error="HTTP 503"
    )
    make_attempt(late, 1)
    make_attempt(late, 2, status=None, error="timeout", milliseconds=15_000, response_body=None)
    replay = replays.start(team, Filter(endpoint=good.id, chat=-1), actor)
    replays.join(5)
    return Relayed(good.id, late.id, replay.id)


def _note_calls(team: ULID, bot: Bot, key: ApiKey) -> None:
    calls = [
        ("sendMessage", 200, "telegram", None, 214, 431, 48),
        ("sendPhoto", 200, "telegram", None, 2_483_112, 1204, 913),
        ("sendMessage", 429, "gateway", "rate_limited", 198, 121, 1),
        ("editMessageText", 400, "telegram", None, 240, 137, 39),
        ("sendMediaGroup", 502, "gateway", "connection_failed", 8_310_440, 118, 10_002),
        ("answerCallbackQuery", 200, "telegram", None, 61, 26, 35),
        ("getMe", 200, "telegram", None, 0, 181, 31),
        ("setWebhook", 403, "gateway", "method_refused", 96, 144, 1),
    ]
    for number, (method, status, source, error, sent, received, took) in enumerate(calls):
        runtime.request_log.add(
            LogRow(
                at=utcnow() - timedelta(minutes=7 * (len(calls) - number)),
                team_id=str(team),
                bot_id=str(bot.id),
                key_id=str(key.id),
                method=method,
                source=source,
                status=status,
                error=error,
                bytes_in=sent,
                bytes_out=received,
                milliseconds=took,
            )
        )
