"""The Doctor's rules, as a table: which fact leads to which finding and which repair."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.shared.errors import TgmError
from tgm.shared.ids import new_id
from tgm.telegram.catalog import UPDATE_KINDS
from tgm.telegram.errors import Failure, TelegramRefused, TelegramUnreachable
from tgm.webhook.diagnosis import TokenSealed, examine
from tgm.webhook.findings import (
    Base,
    Facts,
    Finding,
    Hook,
    Leads,
    Me,
    Receiver,
    Receiving,
    Repair,
    Source,
    Verdict,
    Whose,
)
from tgm.webhook.models import Mode

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ALL = tuple(UPDATE_KINDS)
BASE = Base("https://tgm.example.com", "https", 443, Leads.PUBLIC)
SHOP = Receiver(new_id(), "Shop", "shop.example.com")
HOOK = Hook(Whose.OURS, "tgm.example.com", kinds=ALL)
WEBHOOK, POLLING = Receiving(Mode.WEBHOOK, ALL), Receiving(Mode.POLLING, ALL)
WELL = Facts(
    now=NOON,
    is_disabled=False,
    me=Me("tgm_test_bot", None),
    hook=HOOK,
    receiving=WEBHOOK,
    base=BASE,
    own_server=False,
    receivers=(SHOP,),
)
UNAUTHORIZED = TelegramRefused("Unauthorized", code=401, retry_after=None)
BUSY = TelegramRefused("Too Many Requests: retry after 5", code=429, retry_after=5)
GONE = TelegramUnreachable(Failure.TIMEOUT)
NO_WEBHOOK = Hook(Whose.NOBODY, "")
ERROR = "Wrong response from the webhook: 502 Bad Gateway"
NEW_TOKEN, RETRIES = (Repair.REPLACE_TOKEN,), (Repair.SET_BASE_URL, Repair.USE_POLLING)


def of(facts: Facts, verdict: Verdict) -> list[Finding]:
    return [one for one in examine(facts) if one.verdict is verdict]


def found(facts: Facts, what: str) -> Finding:
    (one,) = [each for each in examine(facts) if each.what == what]
    return one


def test_a_bot_that_is_well_has_nothing_that_needs_attention() -> None:
    assert {one.verdict for one in examine(WELL)} == {Verdict.GOOD}
    polled = replace(WELL, receiving=POLLING, hook=NO_WEBHOOK, base=None)
    assert {one.verdict for one in examine(polled)} == {Verdict.GOOD, Verdict.NOTE}


TABLE = [
    # What differs, the finding, its verdict, its repairs.
    ({"me": UNAUTHORIZED}, "The token", Verdict.ATTENTION, NEW_TOKEN),
    ({"me": TokenSealed()}, "The token", Verdict.ATTENTION, NEW_TOKEN),
    ({"me": BUSY}, "The token", Verdict.UNKNOWN, ()),
    ({"me": GONE}, "The token", Verdict.UNKNOWN, ()),
    ({"hook": GONE}, "The webhook", Verdict.UNKNOWN, ()),
    ({"me": Me("b", True)}, "Messages in groups", Verdict.NOTE, ()),
    ({"me": Me("b", False)}, "Messages in groups", Verdict.NOTE, ()),
    ({"is_disabled": True}, "The bot", Verdict.ATTENTION, (Repair.ENABLE,)),
    ({"receiving": None}, "Receiving", Verdict.ATTENTION, (Repair.RECEIVE,)),
    (
        {"receiving": replace(WEBHOOK, problem_text="Conflict")},
        "Receiving",
        Verdict.ATTENTION,
        (Repair.REGISTER,),
    ),
    (
        {"receiving": replace(WEBHOOK, is_held=True)},
        "Deliveries",
        Verdict.ATTENTION,
        (Repair.RESUME,),
    ),
    ({"lag": 59 * timedelta(seconds=1)}, "Lag", Verdict.GOOD, ()),
    ({"lag": MINUTE}, "Lag", Verdict.ATTENTION, (Repair.SEE_WAITING,)),
    ({"receivers": ()}, "Endpoints", Verdict.ATTENTION, (Repair.ADD_ENDPOINT,)),
    ({"receivers": (), "receiving": None}, "Endpoints", Verdict.NOTE, (Repair.ADD_ENDPOINT,)),
]


@pytest.mark.parametrize(("different", "what", "verdict", "repairs"), TABLE)
def test_a_fact_leads_to_its_finding_and_repair(
    different: dict[str, object], what: str, verdict: Verdict, repairs: tuple[Repair, ...]
) -> None:
    one = found(replace(WELL, **different), what)  # type: ignore[arg-type]
    assert (one.verdict, one.repairs) == (verdict, repairs)


@pytest.mark.parametrize(
    ("mode", "whose", "verdict"),
    [
        (Mode.WEBHOOK, Whose.OURS, Verdict.GOOD),
        (Mode.WEBHOOK, Whose.FORMER, Verdict.ATTENTION),
        (Mode.WEBHOOK, Whose.OTHER, Verdict.ATTENTION),
        (Mode.WEBHOOK, Whose.NOBODY, Verdict.ATTENTION),
        (Mode.POLLING, Whose.NOBODY, Verdict.GOOD),
        (Mode.POLLING, Whose.OTHER, Verdict.ATTENTION),
        (Mode.POLLING, Whose.FORMER, Verdict.ATTENTION),
        (None, Whose.NOBODY, Verdict.NOTE),
        (None, Whose.OTHER, Verdict.NOTE),
    ],
)
def test_a_webhook_elsewhere_is_taken_back_only_where_tgm_receives(
    mode: Mode | None, whose: Whose, verdict: Verdict
) -> None:
    receiving = None if mode is None else Receiving(mode, ALL)
    one = found(
        replace(WELL, receiving=receiving, hook=replace(HOOK, whose=whose)), "Where updates go"
    )
    assert one.verdict is verdict
    assert one.repairs == ((Repair.TAKE_BACK,) if verdict is Verdict.ATTENTION else ())


@pytest.mark.parametrize(
    ("pending", "error", "ago", "waiting", "last"),
    [
        (0, None, None, Verdict.GOOD, Verdict.GOOD),
        (99, None, None, Verdict.GOOD, Verdict.GOOD),
        (100, None, None, Verdict.ATTENTION, Verdict.GOOD),
        (1, ERROR, MINUTE, Verdict.ATTENTION, Verdict.ATTENTION),
        (1, ERROR, None, Verdict.ATTENTION, Verdict.ATTENTION),
        (0, ERROR, MINUTE, Verdict.GOOD, Verdict.GOOD),
        (1, ERROR, HOUR, Verdict.GOOD, Verdict.GOOD),
    ],
)
def test_an_error_counts_while_it_is_recent_and_something_waits(
    pending: int, error: str | None, ago: timedelta | None, waiting: Verdict, last: Verdict
) -> None:
    at = None if ago is None else NOON - ago
    facts = replace(WELL, hook=replace(HOOK, pending=pending, error=error, error_at=at))
    assert found(facts, "Waiting at Telegram").verdict is waiting
    one = found(facts, "Telegram's last error")
    assert (one.verdict, one.said, one.at) == (last, error, at)
    assert one.repairs == (RETRIES if last is Verdict.ATTENTION else ())


def test_an_error_of_somebody_elses_webhook_is_not_ours_to_mend() -> None:
    theirs = replace(HOOK, whose=Whose.OTHER, pending=1, error=ERROR, error_at=NOON)
    assert found(replace(WELL, hook=theirs), "Telegram's last error").verdict is Verdict.NOTE


@pytest.mark.parametrize(
    ("sent", "asked", "missing"),
    [
        (ALL, ALL, None),
        (None, ("message", "poll"), None),
        (None, ("message", "chat_member"), "chat_member"),
        (("message",), ("message", "poll", "chat_member"), "poll, chat_member"),
    ],
)
def test_kinds_that_telegram_does_not_send_are_named(
    sent: tuple[str, ...] | None, asked: tuple[str, ...], missing: str | None
) -> None:
    facts = replace(WELL, hook=replace(HOOK, kinds=sent), receiving=Receiving(Mode.WEBHOOK, asked))
    one = found(facts, "Kinds of update that Telegram sends")
    assert one.params.get("kinds") == missing
    assert (Repair.REGISTER in one.repairs) is (missing is not None)


def test_kinds_that_an_endpoint_waits_for_in_vain_need_attention() -> None:
    what, asked = "Kinds of update asked for", Receiving(Mode.POLLING, ("message",))
    some = replace(WELL, receiving=asked, hook=NO_WEBHOOK)
    assert found(some, what).verdict is Verdict.NOTE
    waiting = replace(SHOP, kinds=("message", "poll"))
    one = found(replace(some, receivers=(waiting,)), what)
    assert (one.verdict, one.params["kinds"]) == (Verdict.ATTENTION, "poll")
    assert one.repairs == (Repair.CHOOSE_KINDS,)


@pytest.mark.parametrize(
    ("base", "words"),
    [
        (Base("http://tgm.example.com", "http", 80, Leads.PUBLIC), ["not HTTPS"]),
        (Base("https://tgm.example.com:8080", "https", 8080, Leads.PUBLIC), ["port"]),
        (Base("https://192.168.1.5", "https", 443, Leads.PRIVATE), ["private network"]),
        (
            Base("http://localhost:5000", "http", 5000, Leads.PRIVATE),
            ["not HTTPS", "port", "private network"],
        ),
    ],
)
def test_a_public_address_that_telegram_cannot_reach_says_why(base: Base, words: list[str]) -> None:
    what = "This TGM's public address"
    wrong = [one for one in examine(replace(WELL, base=base)) if one.what == what]
    assert len(wrong) == len(words)
    for one, word in zip(wrong, words, strict=True):
        assert word in one.text
        assert (one.verdict, one.repairs) == (Verdict.ATTENTION, RETRIES)
    own = [one for one in examine(replace(WELL, base=base, own_server=True)) if one.what == what]
    assert {one.verdict for one in own} == {Verdict.NOTE}, "one's own server reaches it"


@pytest.mark.parametrize("port", [443, 80, 88, 8443])
def test_the_ports_that_telegram_posts_to_are_good(port: int) -> None:
    base = Base(f"https://tgm.example.com:{port}", "https", port, Leads.PUBLIC)
    assert found(replace(WELL, base=base), "This TGM's public address").verdict is Verdict.GOOD


def test_a_name_that_leads_nowhere_from_here_could_not_be_told() -> None:
    base = replace(BASE, leads=Leads.NOWHERE)
    assert found(replace(WELL, base=base), "This TGM's public address").verdict is Verdict.UNKNOWN


def test_a_webhook_without_a_public_address_needs_one() -> None:
    what = "This TGM's public address"
    assert found(replace(WELL, base=None), what).repairs == RETRIES
    polled = replace(WELL, base=None, receiving=POLLING, hook=NO_WEBHOOK)
    assert found(polled, what).verdict is Verdict.NOTE


@pytest.mark.parametrize(
    ("different", "first"),
    [
        ({"refused": "Use https."}, Repair.CHANGE_ENDPOINT),
        ({"warning": "It leads nowhere."}, Repair.CHANGE_ENDPOINT),
        ({"paused_because": "gone"}, Repair.RESUME_ENDPOINT),
        ({"paused_because": "failing"}, Repair.RESUME_ENDPOINT),
        ({"paused_because": "person"}, Repair.RESUME_ENDPOINT),
        ({"failing": 3, "last_error": "HTTP 500"}, Repair.TRY_ENDPOINT),
    ],
)
def test_an_endpoint_that_gets_nothing_needs_attention(
    different: dict[str, object], first: Repair
) -> None:
    one = found(
        replace(WELL, receivers=(replace(SHOP, **different),)),  # type: ignore[arg-type]
        "Endpoint %(name)s",
    )
    assert (one.verdict, one.endpoint_id, one.repairs[0]) == (Verdict.ATTENTION, SHOP.id, first)


def test_what_was_given_up_can_be_replayed() -> None:
    one = found(replace(WELL, receivers=(replace(SHOP, given_up=2),)), "Endpoint %(name)s")
    assert (one.verdict, one.repairs) == (Verdict.NOTE, (Repair.REPLAY_GIVEN_UP,))


verdicts = st.sampled_from([UNAUTHORIZED, BUSY, GONE, TokenSealed()])
hooks = st.builds(
    Hook,
    whose=st.sampled_from(Whose),
    host=st.text(max_size=20),
    pending=st.integers(0, 10**6),
    error=st.none() | st.text(max_size=20),
    error_at=st.none() | st.just(NOON - MINUTE) | st.just(NOON + HOUR),
    kinds=st.none() | st.lists(st.sampled_from(ALL)).map(tuple),
)
receivings = st.none() | st.builds(
    Receiving,
    mode=st.sampled_from(Mode),
    kinds=st.lists(st.sampled_from(ALL)).map(tuple),
    is_held=st.booleans(),
)
bases = st.none() | st.builds(
    Base,
    url=st.just("https://x.example"),
    scheme=st.sampled_from(["http", "https"]),
    port=st.integers(1, 65535),
    leads=st.sampled_from(Leads),
)
receivers = st.builds(
    Receiver,
    id=st.builds(new_id),
    name=st.text(max_size=10),
    host=st.text(max_size=10),
    paused_because=st.sampled_from([None, "person", "gone", "failing", "unheard of"]),
    failing=st.integers(0, 3),
    given_up=st.integers(0, 3),
    refused=st.sampled_from([None, "No."]),
)
everything = st.builds(
    Facts,
    now=st.just(NOON),
    is_disabled=st.booleans(),
    me=st.builds(Me, st.text(max_size=5), st.sampled_from([None, True, False])) | verdicts,
    hook=hooks | verdicts,
    receiving=receivings,
    base=bases,
    own_server=st.booleans(),
    receivers=st.lists(receivers, max_size=3).map(tuple),
    lag=st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
)


@given(everything)
def test_whatever_the_facts_each_finding_can_be_said(facts: Facts) -> None:
    findings = examine(facts)
    for one in findings:
        assert one.what % one.params
        assert one.text % one.params
        assert not (one.verdict is Verdict.GOOD and one.repairs)
        of_endpoint = {Repair.CHANGE_ENDPOINT, Repair.RESUME_ENDPOINT, Repair.TRY_ENDPOINT}
        assert one.endpoint_id is not None or not of_endpoint & set(one.repairs)
    sources = [one.source for one in findings]
    assert sources == sorted(sources, key=[Source.TELEGRAM, Source.LOCAL].index)
    if isinstance(facts.me, TgmError):
        assert any(one.what == "The token" and one.said is facts.me for one in findings)
