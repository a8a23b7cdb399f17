"""A bot at a glance."""

from dataclasses import replace

from tgm.bots.avatar import Avatar
from tgm.dashboard.attention import Finding, Kind
from tgm.dashboard.cards import Card, of_bots
from tgm.dashboard.known import BotFacts, EndpointFacts
from tgm.dashboard.standing import MOST_COUNTED
from tgm.proxy.figures import Totals
from tgm.shared.ids import new_id

BOT = BotFacts(id=new_id(), name="Kasir", username="kasir_bot")


def card_of(bot: BotFacts, totals: Totals | None = None, *findings: Finding) -> Card:
    (card,) = of_bots([bot], {} if totals is None else {bot.id: totals}, findings)
    return card


def a_finding(bot: BotFacts, *, is_broken: bool) -> Finding:
    return Finding(
        Kind.LATE,
        bot.name,
        "Late",
        "Look",
        "dashboard.home",
        {},
        bot_id=bot.id,
        is_broken=is_broken,
    )


def test_it_sums_over_the_bots_endpoints() -> None:
    endpoints = (
        EndpointFacts(id=new_id(), name="A", pending=3, failing=1),
        EndpointFacts(id=new_id(), name="B", pending=4, failing=2),
    )
    card = card_of(replace(BOT, endpoints=endpoints), Totals(9, 5))
    assert (card.endpoints, card.pending, card.failing) == (2, 7, 3)
    assert (card.calls, card.errors) == (9, 5)
    assert not card.failing_at_least


def test_a_bot_that_was_not_called_has_no_calls() -> None:
    card = card_of(BOT)
    assert (card.calls, card.errors, card.pending) == (0, 0, 0)


def test_where_counting_ended_it_says_at_least() -> None:
    many = EndpointFacts(id=new_id(), name="A", pending=90_000, failing=MOST_COUNTED)
    assert card_of(replace(BOT, endpoints=(many,))).failing_at_least


def test_it_counts_what_needs_a_person_of_this_bot_alone() -> None:
    other = replace(BOT, id=new_id())
    found = [a_finding(BOT, is_broken=value) for value in (True, False, False)]
    card = card_of(BOT, None, *found, a_finding(other, is_broken=True))
    assert (card.broken, card.to_look_at) == (1, 2)


def test_its_photo_stands_for_it() -> None:
    assert card_of(BOT).avatar == Avatar(BOT.id, "Kasir")
    assert card_of(replace(BOT, photo="one")).avatar.photo == "one"
