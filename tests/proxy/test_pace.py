"""Telegram's published pace, with the time passed in."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tgm.proxy import pace
from tgm.proxy.pace import Pace, PaceReached, Slot, chat_of

BOT = "bot"
PRIVATE = "5"
GROUP = "-100123"

chats = st.sampled_from([None, "5", "6", "7", "-100123", "-5", "@news"])
calls = st.lists(st.tuples(st.floats(0, 0.7), chats), max_size=150)


def most_within(times: Sequence[float], seconds: float) -> int:
    """Return the most that lie within any window of so many seconds."""
    times = sorted(times)
    return max((sum(t <= u < t + seconds for u in times) for t in times), default=0)


def take_all(
    given_calls: list[tuple[float, str | None]], patience: float = 1000
) -> tuple[Pace, list[Slot]]:
    kept, now, slots = Pace(), 1000.0, []
    for after, chat in given_calls:
        now += after
        try:
            slots.append(kept.take(now, BOT, patience=patience, chat=chat))
        except PaceReached:
            continue
        assert now <= slots[-1].at <= now + patience
    return kept, slots


def check(slots: list[Slot]) -> None:
    assert most_within([slot.at for slot in slots], 1) <= 30
    for chat in {slot.chat for slot in slots} - {None}:
        times = [slot.at for slot in slots if slot.chat == chat]
        assert most_within(times, 1) <= 1
        assert times == sorted(times), "messages to one chat keep their order"
        if str(chat).startswith(("-", "@")):
            assert most_within(times, 60) <= 20


@settings(deadline=None)
@given(calls, st.sampled_from([0.0, 3.0, 1000.0]))
def test_no_window_holds_more_than_telegram_publishes(
    given_calls: list[tuple[float, str | None]], patience: float
) -> None:
    check(take_all(given_calls, patience)[1])


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 0.3), st.integers(0, 40), st.integers(0, 9), st.booleans()),
        max_size=200,
    )
)
def test_turns_that_are_given_back_and_pauses_never_let_more_through(
    steps: list[tuple[float, int, int, bool]],
) -> None:
    kept, now, slots = Pace(), 0.0, list[Slot]()
    for after, chat, dice, gives_back in steps:
        now += after
        if gives_back and (waiting := [slot for slot in slots if slot.at > now]):
            kept.give_back(waiting[0])
            slots.remove(waiting[0])
        if dice == 0:
            kept.pause(now, BOT, 2)
            assert all(slot.at >= now + 2 - 1e-6 for slot in slots if slot.at > now)
        slots.append(kept.take(now, BOT, patience=1000, chat=str(chat)))
    # Turns that were put off are rounded by the clock's last digits.
    assert most_within([slot.at for slot in slots], 1 - 1e-6) <= 30
    for chat_name in {slot.chat for slot in slots}:
        times = [slot.at for slot in slots if slot.chat == chat_name]
        assert most_within(times, 1 - 1e-6) <= 1
        assert times == sorted(times)


def test_thirty_leave_at_once_and_the_next_a_second_later() -> None:
    _, slots = take_all([(0, str(number)) for number in range(1, 62)])
    assert Counter(slot.at for slot in slots) == {1000.0: 30, 1001.0: 30, 1002.0: 1}


def test_messages_to_one_chat_leave_a_second_apart_and_hold_up_no_other() -> None:
    kept, slots = take_all([(0, PRIVATE)] * 4)
    assert [slot.at for slot in slots] == [1000, 1001, 1002, 1003]
    assert kept.take(1000, BOT, patience=0, chat="6").at == 1000
    assert kept.take(1000, "another bot", patience=0, chat=PRIVATE).at == 1000


def test_a_group_gets_twenty_a_minute() -> None:
    _, slots = take_all([(0, GROUP)] * 21)
    assert slots[19].at == 1019
    assert slots[20].at == 1060


def test_whoever_will_not_wait_so_long_is_refused_and_takes_no_turn() -> None:
    kept = Pace()
    kept.take(0, BOT, patience=0, chat=PRIVATE)
    for _ in range(3):
        with pytest.raises(PaceReached, match="Too Many Requests: retry after 1") as refused:
            kept.take(0.25, BOT, patience=0.5, chat=PRIVATE)
        assert (refused.value.code, refused.value.retry_after) == (429, 1)
    assert kept.take(0.25, BOT, patience=0.75, chat=PRIVATE).at == 1


def test_a_turn_that_is_given_back_is_free_again() -> None:
    kept, slots = take_all([(0, PRIVATE)] * 2)
    kept.give_back(slots[1])
    assert kept.take(1000, BOT, patience=1, chat=PRIVATE).at == 1001


def test_a_pause_holds_every_call_of_the_bot_and_no_other_bot() -> None:
    kept = Pace()
    kept.pause(0, BOT, 7)
    assert kept.paused_for(2, BOT) == 5
    assert kept.take(2, BOT, patience=5, messages=0).at == 7
    assert kept.take(2, BOT, patience=5, chat="6").at == 7
    with pytest.raises(PaceReached, match="retry after 5"):
        kept.take(2, BOT, patience=4)
    assert kept.take(2, "another bot", patience=0).at == 2
    assert kept.take(7, BOT, patience=0, messages=0).at == 7
    assert kept.paused_for(7, BOT) == 0


def test_what_waits_when_a_pause_begins_is_put_off_by_as_much_and_keeps_its_distances() -> None:
    kept, slots = take_all([(0, PRIVATE)] * 3)
    kept.pause(1000, BOT, 10)
    assert [slot.at for slot in slots] == [1000, 1010, 1011]
    # A shorter pause does not shorten a longer one.
    kept.pause(1001, BOT, 2)
    assert [slot.at for slot in slots] == [1000, 1010, 1011]
    assert kept.take(1001, BOT, patience=20, chat=PRIVATE).at == 1012


def test_calls_that_send_no_message_take_no_turn() -> None:
    kept = Pace()
    for _ in range(100):
        assert kept.take(0, BOT, patience=0, messages=0).at == 0
    assert kept.take(0, BOT, patience=0, chat=PRIVATE).at == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.7), chats, st.integers(1, 12)), max_size=80))
def test_albums_count_as_their_messages(albums: list[tuple[float, str | None, int]]) -> None:
    kept, now, times = Pace(), 0.0, list[tuple[float, str | None]]()
    for after, chat, messages in albums:
        now += after
        at = kept.take(now, BOT, patience=10_000, chat=chat, messages=messages).at
        times += [(at, chat)] * messages
    assert most_within([at for at, _ in times], 1) <= 30
    for chat in {chat for _, chat in times if str(chat).startswith(("-", "@"))}:
        assert most_within([at for at, of in times if of == chat], 60) <= 20


def test_what_follows_an_album_waits_as_if_its_messages_had_come_one_by_one() -> None:
    kept = Pace()
    album = kept.take(0, BOT, patience=0, chat=PRIVATE, messages=5)
    assert kept.take(0, BOT, patience=9, chat=PRIVATE).at == 5
    assert kept.take(0, BOT, patience=0, chat="6").at == 0
    kept.give_back(album)
    kept.give_back(kept.take(0, BOT, patience=9, chat=PRIVATE, messages=100))
    assert kept.take(0, BOT, patience=9, chat=PRIVATE).at == 6
    for _ in range(2):
        kept.give_back(kept.take(0, BOT, patience=9, chat="7", messages=1000))


def test_a_pause_keeps_the_distance_behind_an_album_that_waits() -> None:
    kept = Pace()
    kept.take(0, BOT, patience=0, chat=PRIVATE)
    album = kept.take(0, BOT, patience=9, chat=PRIVATE, messages=3)
    kept.pause(0, BOT, 10)
    assert album.at == 10
    assert kept.take(0, BOT, patience=99, chat=PRIVATE).at == 13


def test_chats_that_have_been_quiet_are_forgotten() -> None:
    kept = Pace()
    for number in range(1, 20_000):
        kept.take(number / 30, BOT, patience=1, chat=str(number))
    assert len(kept._bots[BOT].chats) <= 2 * pace._SWEPT_AT


@pytest.mark.parametrize(
    ("value", "chat"),
    [
        (5, "5"),
        (" -100123 ", "-100123"),
        ("@News", "@news"),
        ("", None),
        (None, None),
        (True, None),
        ({"a": 1}, None),
        ([5], None),
    ],
)
def test_a_chat_is_known_in_any_spelling(value: object, chat: str | None) -> None:
    assert chat_of(value) == chat


def test_who_is_refused_hears_whether_any_other_chat_would_have_to_wait_as_well() -> None:
    kept, _ = take_all([(0, str(number)) for number in range(1, 30)])
    with pytest.raises(PaceReached) as refused:
        kept.take(1000, BOT, patience=0.5, chat="5")
    assert not refused.value.is_full
    with pytest.raises(PaceReached) as refused:
        kept.take(1000, BOT, patience=0.5, chat="30", messages=5)
    assert not refused.value.is_full
    kept.take(1000, BOT, patience=0, chat="30")
    with pytest.raises(PaceReached) as refused:
        kept.take(1000, BOT, patience=0.5, chat="5")
    assert refused.value.is_full
