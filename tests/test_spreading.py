"""Each of several processes takes its share of the connections."""

from tgm.spreading import Spread


class Server:
    """As much of a waitress server as takes part."""

    def __init__(self) -> None:
        self.active_channels: dict[int, object] = {}

    def handle_accept(self) -> None:
        self.active_channels[len(self.active_channels)] = object()


def test_who_has_more_leaves_the_next_one_to_another() -> None:
    spread = Spread(2)
    first, second = Server(), Server()
    spread.fit(first, 0)
    spread.fit(second, 1)
    assert not spread.has_too_many(0)
    first.handle_accept()
    assert spread.has_too_many(0)
    assert not spread.has_too_many(1)
    second.handle_accept()
    assert not spread.has_too_many(0)
    del second.active_channels[0]
    assert spread.has_too_many(0)


def test_a_process_that_is_not_there_is_not_waited_for() -> None:
    spread = Spread(2)
    alone = Server()
    spread.fit(alone, 0)
    alone.handle_accept()
    assert not spread.has_too_many(0)
    other = Server()
    spread.fit(other, 1)
    assert spread.has_too_many(0)
    spread.leave(1)
    assert not spread.has_too_many(0)


def test_one_that_does_not_take_its_share_holds_nobody_up() -> None:
    spread = Spread(2)
    quick, stuck = Server(), Server()
    spread.fit(quick, 0)
    spread.fit(stuck, 1)
    for _ in range(5):
        quick.handle_accept()
    assert len(quick.active_channels) == 5
