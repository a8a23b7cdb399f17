"""A bot moves from one Bot API server to another, loses nothing on the way, and may turn back."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from ulid import ULID

from tests.fakes.telegram import TOKEN, FakeTelegram, Recorded, Reply, refusal, reply
from tests.making import acts, make_team
from tests.webhook.rows import an_update, make_endpoint
from tgm.audit.service import COMMAND_LINE
from tgm.bots import service as bots
from tgm.bots.models import Bot
from tgm.bots.moves import Move, Problem, Step, checked_address, way_out
from tgm.database import WRITER
from tgm.extensions import db, runtime
from tgm.keys import service as keys
from tgm.keys.rights import Rights
from tgm.security.secret import Secret
from tgm.shared.clock import utcnow
from tgm.shared.errors import Conflict, Invalid
from tgm.telegram.upstream import Route
from tgm.webhook import mover, moving, receiving
from tgm.webhook.leases import Leases
from tgm.webhook.models import Mode, Reception, StoredUpdate

BASE = "https://tgm.example.com"
CLOUD = "https://api.telegram.org"
public = pytest.mark.given(WEBHOOK_BASE_URL=BASE)


@pytest.fixture
def new() -> Iterator[FakeTelegram]:
    """The server that the bot moves to."""
    with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def team(app: Flask) -> ULID:
    return make_team("Toko")


@pytest.fixture
def bot(team: ULID, telegram: FakeTelegram) -> Bot:
    bot = bots.add(team, TOKEN, None, COMMAND_LINE)
    telegram.requests.clear()
    return bot


def begin(bot: Bot, to: FakeTelegram | str) -> Move:
    address = to if isinstance(to, str) else to.url
    return moving.start(bot.team_id, bot.id, address, COMMAND_LINE)


def go_on(bot: Bot, *, later: float = 0) -> Move | None:
    """Go on with the move, as the background does `later` seconds from now."""
    mover.go_on(utcnow() + timedelta(seconds=later))
    return moving.of_bot(bot.id)


def called(server: FakeTelegram) -> list[str]:
    return [recorded.method for recorded in server.requests]


def server_of(bot: Bot) -> str | None:
    """Return where the proxy calls the bot, None for the setting's server."""
    return runtime.snapshot.current().bots[str(bot.id)].api_base_url


def holding(*update_ids: int) -> Callable[[Recorded], Reply]:
    """Answer getUpdates with what has not been confirmed yet."""

    def answer(recorded: Recorded) -> Reply:
        offset = json.loads(recorded.body).get("offset") or 0
        kept = [json.loads(an_update(number)) for number in update_ids if number >= offset]
        return reply({"ok": True, "result": kept})

    return answer


def stored() -> list[int]:
    return list(db.session.scalars(select(StoredUpdate.update_id).order_by(StoredUpdate.seq)))


def polls(bot: Bot) -> None:
    receiving.switch_on(bot.team_id, bot.id, actor=COMMAND_LINE)


@pytest.mark.parametrize(
    ("old", "new", "method"),
    [
        (None, "http://10.0.0.5:8081", "logOut"),
        ("http://10.0.0.5:8081", None, "logOut"),
        ("http://10.0.0.5:8081", CLOUD, "logOut"),
        (CLOUD, "http://10.0.0.5:8081", "logOut"),
        ("http://10.0.0.5:8081", "http://10.0.0.6:8081", "close"),
    ],
)
def test_a_bot_is_closed_between_two_local_servers_and_logged_out_elsewhere(
    old: str | None, new: str | None, method: str
) -> None:
    assert way_out(old, new) == method


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.5:8081",
        "ftp://host",
        "http://",
        "http://a:b@host",
        "http://host/?a",
        "http://h o",
    ],
)
def test_only_an_address_is_taken(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_address(text)
    assert caught.value.field == "url"


def test_an_address_is_kept_without_its_last_slash() -> None:
    assert checked_address(" http://host:8081/ ") == "http://host:8081"


def test_a_polled_bot_moves(bot: Bot, telegram: FakeTelegram, new: FakeTelegram) -> None:
    polls(bot)
    telegram.requests.clear()
    begin(bot, new)
    assert go_on(bot) is None
    assert called(telegram) == ["deleteWebhook", "getUpdates", "logOut"]
    assert called(new) == ["getMe", "deleteWebhook"]
    assert server_of(bot) == new.url
    reception = receiving.of_bot(bot.id)
    assert reception is not None
    assert (reception.mode, reception.offset) == (Mode.POLLING, None)


@public
def test_a_bot_with_a_webhook_gets_one_at_the_new_server(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    polls(bot)
    telegram.requests.clear()
    begin(bot, new)
    assert go_on(bot) is None
    assert called(telegram) == ["deleteWebhook", "getUpdates", "logOut"]
    assert json.loads(telegram.requests[0].body) == {"drop_pending_updates": False}
    assert called(new) == ["getMe", "setWebhook"]
    assert json.loads(new.requests[1].body)["url"].startswith(BASE)


def test_a_bot_that_does_not_receive_moves_as_well(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    begin(bot, new)
    assert go_on(bot) is None
    assert called(telegram) == ["deleteWebhook", "logOut"]
    assert called(new) == ["getMe"]


def test_what_the_old_server_still_holds_is_stored_first(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    polls(bot)
    make_endpoint(bot.id)
    telegram.always("getUpdates", holding(7, 8, 9))
    begin(bot, new)
    assert go_on(bot) is None
    assert stored() == [7, 8, 9]
    # Confirmed, too, before the bot leaves.
    asked = [json.loads(call.body).get("offset") for call in telegram.calls("getUpdates")]
    assert asked == [None, 10]


def test_between_local_servers_it_waits_as_long_as_telegram_asks(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    with FakeTelegram() as local:
        begin(bot, local)
        assert go_on(bot) is None
        local.requests.clear()
        local.always("close", refusal(429, "Too Many Requests: retry after 300", retry_after=300))
        begin(bot, new)
        waits = go_on(bot)
        assert waits is not None
        assert (waits.step, waits.problem) == (Step.LEAVING, Problem.WAIT)
        assert 290 < (waits.next_at - utcnow()).total_seconds() <= 300
        assert called(local) == ["deleteWebhook", "close"]
        # It is not asked earlier, and serves calls until then.
        go_on(bot, later=200)
        assert called(local) == ["deleteWebhook", "close"]
        assert server_of(bot) == local.url
        local.always("close", reply({"ok": True, "result": True}))
        assert go_on(bot, later=301) is None
    assert server_of(bot) == new.url


def test_back_at_telegram_it_waits_until_the_bot_may_log_in(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    polls(bot)
    begin(bot, new)
    assert go_on(bot) is None
    telegram.always("getMe", refusal(400, "Logged out"))
    telegram.requests.clear()
    begin(bot, telegram)
    waits = go_on(bot)
    assert waits is not None
    assert (waits.step, waits.problem) == (Step.JOINING, Problem.WAIT)
    assert new.calls("logOut")
    assert called(telegram) == ["getMe"]
    telegram.always("getMe", reply({"ok": True, "result": telegram.bots[TOKEN]}))
    assert go_on(bot, later=61) is None
    assert server_of(bot) is None
    assert called(telegram)[-1] == "deleteWebhook"


def test_a_bot_that_was_logged_out_by_hand_moves_on(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    for method in ("deleteWebhook", "logOut"):
        telegram.always(method, refusal(400, "Logged out"))
    begin(bot, new)
    assert go_on(bot) is None
    assert server_of(bot) == new.url


def test_while_it_leaves_nobody_polls_it(bot: Bot, new: FakeTelegram) -> None:
    polls(bot)
    leases = Leases(db.engine, db.engines[WRITER])
    assert leases.hold(utcnow()) == {str(bot.id)}
    begin(bot, new)
    assert leases.hold(utcnow()) == set()
    assert leases.turn(str(bot.id), utcnow()) is None


def test_how_it_receives_is_left_alone_meanwhile(bot: Bot, new: FakeTelegram) -> None:
    polls(bot)
    begin(bot, new)
    with pytest.raises(Conflict):
        polls(bot)


def test_a_new_server_that_is_not_there_yet_is_tried_again(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    new.always("getMe", reply(b"<html>", 502))
    begin(bot, new)
    waits = go_on(bot)
    assert waits is not None
    assert (waits.step, waits.problem) == (Step.JOINING, Problem.UNREACHABLE)
    new.always("getMe", reply({"ok": True, "result": new.bots[TOKEN]}))
    assert go_on(bot, later=61) is None
    assert telegram.calls("logOut") == telegram.calls("logOut")[:1]


def test_another_bot_at_the_new_server_is_not_taken_for_this_one(
    bot: Bot, new: FakeTelegram
) -> None:
    new.always("getMe", reply({"ok": True, "result": {"id": 1, "username": "x"}}))
    begin(bot, new)
    waits = go_on(bot)
    assert waits is not None
    assert waits.problem == Problem.UNREACHABLE


def test_an_old_server_that_refuses_keeps_the_bot(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    telegram.always("logOut", refusal(500, "Internal Server Error"))
    begin(bot, new)
    waits = go_on(bot)
    assert waits is not None
    assert (waits.step, waits.problem) == (Step.LEAVING, Problem.REFUSED)
    assert "Internal Server Error" in moving.situation(waits)
    assert server_of(bot) is None
    assert not new.requests


def test_an_old_server_that_is_gone_can_be_left_behind(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    telegram.always("deleteWebhook", reply(b"<html>", 502))
    begin(bot, new)
    go_on(bot)
    assert moving.leave_behind(bot.team_id, bot.id, COMMAND_LINE).step is Step.JOINING
    assert go_on(bot) is None
    assert server_of(bot) == new.url


def test_one_that_has_left_cannot_leave_again(bot: Bot, new: FakeTelegram) -> None:
    new.always("getMe", reply(b"<html>", 502))
    begin(bot, new)
    go_on(bot)
    with pytest.raises(Conflict):
        moving.leave_behind(bot.team_id, bot.id, COMMAND_LINE)


def test_it_turns_back_from_a_server_that_will_not_have_it(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    polls(bot)
    new.always("getMe", refusal(401, "Unauthorized"))
    begin(bot, new)
    waits = go_on(bot)
    assert waits is not None
    assert waits.problem == Problem.REFUSED
    moving.turn_back(bot.team_id, bot.id, COMMAND_LINE)
    telegram.requests.clear()
    assert go_on(bot) is None
    assert called(telegram) == ["getMe", "deleteWebhook"]
    assert called(new)[-1] == "logOut"
    assert server_of(bot) is None


def test_it_turns_back_before_it_has_left(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    telegram.always("logOut", refusal(500, "Internal Server Error"))
    begin(bot, new)
    go_on(bot)
    moving.turn_back(bot.team_id, bot.id, COMMAND_LINE)
    assert go_on(bot) is None
    assert server_of(bot) is None
    assert not new.requests


def test_one_that_does_not_move_cannot_turn_back(bot: Bot) -> None:
    with pytest.raises(Conflict):
        moving.turn_back(bot.team_id, bot.id, COMMAND_LINE)


def test_asking_again_goes_on_at_once(bot: Bot, telegram: FakeTelegram, new: FakeTelegram) -> None:
    new.always("getMe", reply(b"<html>", 502))
    begin(bot, new)
    go_on(bot)
    new.always("getMe", reply({"ok": True, "result": new.bots[TOKEN]}))
    begin(bot, new)
    assert go_on(bot) is None


def test_it_goes_to_one_server_at_a_time(bot: Bot, new: FakeTelegram) -> None:
    begin(bot, new)
    with pytest.raises(Conflict):
        begin(bot, "http://127.0.0.1:1")


def test_it_does_not_move_to_where_it_is(bot: Bot, telegram: FakeTelegram) -> None:
    with pytest.raises(Conflict):
        begin(bot, telegram)


def test_two_processes_do_not_move_it_at_once(
    bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    begin(bot, new)
    assert mover.claim(bot.id, utcnow())
    assert go_on(bot) is not None
    assert not telegram.requests
    # The other one is dead by then.
    assert go_on(bot, later=3600) is None


def test_calls_and_downloads_go_where_the_bot_is(
    client: FlaskClient, bot: Bot, telegram: FakeTelegram, new: FakeTelegram
) -> None:
    _, secret = keys.make(bot.team_id, Rights("Kasir"), COMMAND_LINE)
    begin(bot, new)
    assert go_on(bot) is None
    for server in (telegram, new):
        server.requests.clear()
    new.files["photos/1.jpg"] = b"picture"
    headers = {"Authorization": f"Bearer {secret.value}"}
    address = f"/api/v1/bots/{bot.id}"
    sent = client.post(f"{address}/sendMessage", headers=headers, json={"chat_id": 1, "text": "a"})
    assert sent.status_code == 200
    assert client.get(f"{address}/file/photos/1.jpg", headers=headers).data == b"picture"
    assert len(new.requests) == 2
    assert not telegram.requests


@pytest.mark.parametrize(
    ("server", "way"), [("http://10.0.0.5:8081", False), (CLOUD, True), (None, True)]
)
def test_the_proxy_is_the_way_to_telegram_alone(server: str | None, way: bool) -> None:
    route = Route("https://api.example.com", proxy_url=Secret("http://proxy:3128"))
    assert (route.towards(server).proxy_url is not None) is way


def test_the_audit_log_tells_of_the_move(bot: Bot, team: ULID, new: FakeTelegram) -> None:
    begin(bot, new)
    go_on(bot)
    began, moved = acts(team)[-2:]
    assert (began.action, moved.action) == ("bot.move_began", "bot.moved")
    assert moved.details == {"server": new.url}
    assert TOKEN not in str([began.details, moved.details])


def test_a_bot_that_moves_may_be_deleted(bot: Bot, new: FakeTelegram) -> None:
    begin(bot, new)
    bots.delete(bot.team_id, bot.id, bot.name, COMMAND_LINE)
    assert db.session.get(Move, bot.id) is None
    assert db.session.get(Reception, bot.id) is None
