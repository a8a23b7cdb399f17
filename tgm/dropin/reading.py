"""How far the programs of an API key have come: what its page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from ulid import ULID

from tgm.bots.models import Bot
from tgm.database import WRITER
from tgm.dropin.consumers import Consumers, Place
from tgm.dropin.models import Consumer
from tgm.extensions import db
from tgm.keys.models import ApiKey
from tgm.webhook import programs
from tgm.webhook.models import Endpoint


@dataclass(frozen=True)
class Stand:
    """How a program receives one bot's updates: by its `endpoint`, by polling where it has none.

    `polled_at` is to the minute, None where it has never polled. `pending` counts what waits.
    """

    bot: Bot
    endpoint: Endpoint | None
    polled_at: datetime | None
    pending: int


def of_key(key: ApiKey, now: datetime) -> Sequence[Stand]:
    """Return how the key's program stands, by bot; a key that was rotated is one with its heir."""
    query = (
        select(Consumer, Bot)
        .join(Bot, Bot.id == Consumer.bot_id)
        .where(Consumer.id == (key.consumer_id or key.id))
        .order_by(func.lower(Bot.name), Bot.id)
    )
    consumers = Consumers(db.engine, db.engines[WRITER])
    return [_stand(consumers, consumer, bot, now) for consumer, bot in db.session.execute(query)]


def _stand(consumers: Consumers, consumer: Consumer, bot: Bot, now: datetime) -> Stand:
    endpoint = programs.endpoint_of(bot.id, consumer.id)
    if endpoint is not None:
        pending = programs.count_waiting(endpoint)
    else:
        standing = consumers.standing(Place(str(consumer.id), str(bot.id)))
        pending = 0 if standing is None else consumers.pending(standing, now)
    return Stand(bot, endpoint, consumer.polled_at, pending)


def names(keys: Sequence[ApiKey]) -> Mapping[ULID, ApiKey]:
    """Return the key by which a program is known: of those rotated from each other, the newest."""
    ordered = sorted(keys, key=lambda key: key.created_at)
    return {key.consumer_id or key.id: key for key in ordered}
