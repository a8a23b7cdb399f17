"""Receiving for programs that take a bot's updates from TGM as they would from Telegram."""

from ulid import ULID

from tgm.audit.service import Actor
from tgm.bots.change import changing
from tgm.webhook import receiving
from tgm.webhook.models import Acknowledge, Reception


def receive(team_id: ULID, bot_id: ULID, actor: Actor) -> None:
    """Switch receiving on where it is off, and leave button presses to the programs.

    They answer presses themselves, as they always did; unless a person has chosen otherwise, TGM
    does so only for those that stay unanswered. Raises as `receiving.switch_on` does.
    """
    reception = receiving.of_bot(bot_id)
    if reception is None:
        reception = receiving.switch_on(team_id, bot_id, actor=actor)
    if reception.acknowledge is not Acknowledge.AT_ONCE or reception.is_acknowledge_chosen:
        return
    with changing() as session:
        session.get_one(Reception, bot_id).acknowledge = Acknowledge.AFTER_DELIVERY
