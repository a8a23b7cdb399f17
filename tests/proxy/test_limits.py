"""The limit of each key, and the limit for guessing keys."""

import time
from collections.abc import Callable

import pytest

from tests.fakes.serving import Served
from tests.fakes.telegram import FakeTelegram
from tests.proxy.conftest import Program
from tgm.bots.models import Bot
from tgm.shared.networks import network_of

pytestmark = pytest.mark.usefixtures("each_way")


@pytest.mark.given(RATE_LIMIT_PER_MINUTE="3")
def test_a_key_has_so_many_calls_a_minute_and_is_told_where_it_stands(
    served: Served, bot: Bot, make_key: Callable[..., str], telegram: FakeTelegram
) -> None:
    program = Program(served, str(bot.id), make_key())
    seen = [program.call("getMe") for _ in range(4)]
    assert [got.status for got in seen] == [200, 200, 200, 429]
    assert [got.headers["X-RateLimit-Remaining"] for got in seen] == ["2", "1", "0", "0"]
    assert {got.headers["X-RateLimit-Limit"] for got in seen} == {"3"}
    resets = {int(got.headers["X-RateLimit-Reset"]) for got in seen}
    assert all(0 <= reset - time.time() <= 61 for reset in resets)
    assert len(telegram.requests) == 3

    last = seen[-1]
    wait = last.json["parameters"]["retry_after"]
    assert 1 <= wait <= 61
    assert last.headers["Retry-After"] == str(wait)
    assert last.headers["X-TGM-Source"] == "gateway"
    assert last.json == {
        "ok": False,
        "error_code": 429,
        "description": "Rate limit exceeded",
        "parameters": {"retry_after": wait},
    }


@pytest.mark.given(RATE_LIMIT_PER_MINUTE="2")
def test_keys_do_not_share_a_limit_and_may_have_their_own(
    served: Served, bot: Bot, make_key: Callable[..., str]
) -> None:
    first, second = (Program(served, str(bot.id), make_key()) for _ in range(2))
    generous = Program(served, str(bot.id), make_key(per_minute=100))
    assert [first.call("getMe").status for _ in range(3)] == [200, 200, 429]
    assert second.call("getMe").status == 200
    got = [generous.call("getMe") for _ in range(5)]
    assert {g.status for g in got} == {200}
    assert got[-1].headers["X-RateLimit-Limit"] == "100"
    assert got[-1].headers["X-RateLimit-Remaining"] == "95"


def test_after_twenty_bad_keys_an_address_may_not_guess_on(program: Program) -> None:
    bad = {"X-API-Key": "tgm_live_" + "x" * 33}
    statuses = [program.call("getMe", headers=bad).status for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    refused = program.call("getMe", headers=bad)
    assert refused.json["description"] == "Rate limit exceeded"
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["X-RateLimit-Limit"] == "20"
    # A good key from the same address is never held up, and no key at all is no guess.
    assert program.call("getMe").status == 200
    assert program.call("getMe", headers={"X-API-Key": ""}).status == 401


@pytest.mark.given(TRUSTED_PROXIES="1")
def test_behind_a_trusted_proxy_callers_are_told_apart(program: Program) -> None:
    bad = {"X-API-Key": "tgm_live_" + "x" * 33}
    for number in range(21):
        program.call("getMe", headers={**bad, "X-Forwarded-For": f"9.9.9.9, 203.0.113.{number}"})
    got = program.call("getMe", headers={**bad, "X-Forwarded-For": "203.0.113.1"})
    assert got.status == 401


def test_without_a_trusted_proxy_nobody_can_pose_as_another(program: Program) -> None:
    bad = {"X-API-Key": "tgm_live_" + "x" * 33}
    statuses = [
        program.call("getMe", headers={**bad, "X-Forwarded-For": f"203.0.113.{n}"}).status
        for n in range(21)
    ]
    assert statuses[-1] == 429


def test_an_ipv6_caller_counts_by_its_network() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("nonsense") == "nonsense"
