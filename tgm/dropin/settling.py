"""Ending what a program receives once none of its keys works for the bot any more."""

import logging
from datetime import datetime

from sqlalchemy import and_, exists, or_, select, update

from tgm.audit.service import Actor, record
from tgm.bots.models import Bot
from tgm.database import writing
from tgm.extensions import db
from tgm.keys.models import ApiKey, ApiKeyBot
from tgm.webhook.models import Endpoint

log = logging.getLogger(__name__)

BY_KEY = "key"
_TGM = Actor("TGM")


def settle(now: datetime) -> int:
    """Pause the endpoints of programs without a working key; return how many.

    What waits is kept: a person may resume them, and so does the program's next setWebhook.
    """
    chosen = exists().where(ApiKeyBot.key_id == ApiKey.id, ApiKeyBot.bot_id == Endpoint.bot_id)
    works = exists().where(
        or_(ApiKey.id == Endpoint.consumer_id, ApiKey.consumer_id == Endpoint.consumer_id),
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
        or_(ApiKey.all_bots.is_(True), chosen),
    )
    orphaned = and_(Endpoint.consumer_id.is_not(None), Endpoint.paused_because.is_(None), ~works)
    # A read first: nearly always there is none.
    db.session.rollback()
    found = db.session.execute(
        select(Endpoint.id, Endpoint.name, Endpoint.bot_id, Bot.team_id)
        .join(Bot, Bot.id == Endpoint.bot_id)
        .where(orphaned)
    ).all()
    for endpoint_id, name, bot_id, team_id in found:
        with writing() as session:
            session.execute(
                update(Endpoint)
                .where(Endpoint.id == endpoint_id, orphaned)
                .values(paused_because=BY_KEY, paused_at=now)
                .execution_options(synchronize_session=False)
            )
            record(
                session,
                _TGM,
                "endpoint.paused",
                team_id=team_id,
                subject_id=endpoint_id,
                subject_name=name,
                bot=str(bot_id),
                because="no_key",
            )
        log.warning("endpoint %s is paused: no key of its program works any more", endpoint_id)
    return len(found)
