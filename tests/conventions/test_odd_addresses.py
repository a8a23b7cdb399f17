"""Whatever stands behind the question mark, a screen answers: nothing in an address is a fault."""

from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from tests.browser.stock import make_stock
from tests.browsing import sign_in
from tests.fakes.telegram import FakeTelegram
from tests.making import PASSWORD
from tgm.auth.service import Person

# What screens look for in their addresses.
NAMES = (
    *("before", "bot", "cards", "chat", "findings", "in", "key", "kind", "method", "next", "open"),
    *("p-chat_id", "past", "q", "run", "since", "span", "state", "status", "template", "to"),
    *("until", "what", "who"),
)
HEADERS: tuple[dict[str, str], ...] = ({}, {"HX-Request": "true"})

odd_numbers = st.integers().map(str) | st.sampled_from(
    ["9" * 19, "-" + "9" * 19, "9" * 5000, "1e400", "0x1", "٣", "²", "-0", "1_000", " 1 ", "NaN"]
)
odd_times = st.datetimes().map(lambda at: at.isoformat("T", "minutes")) | st.sampled_from(
    ["0001-01-01T00:00", "9999-12-31T23:59", "2026-02-30T10:00", "2026-01-01T25:61", "T"]
)
odd_ids = st.integers(0, 2**128 - 1).map(lambda number: str(ULID.from_int(number))) | (
    st.sampled_from(["8" * 26, "Z" * 26, "0" * 26, "7" + "Z" * 25, "\u0131" * 26])
)
odd_texts = st.binary(max_size=40) | st.sampled_from(
    [b"\0", b"%_\\", b"'\"><script>", b"{{7*7}}", b"%(x)s", b"{0}", b"a" * 3000, b"[]", b"../"]
)
odd_values = odd_numbers | odd_times | odd_ids | odd_texts
queries = st.dictionaries(st.sampled_from(NAMES), odd_values, min_size=1, max_size=6)


@pytest.fixture
def browser(app: Flask, client: FlaskClient, owner: Person, telegram: FakeTelegram) -> FlaskClient:
    """A browser in which the owner of a stocked team has signed in."""
    app.extensions["stock"] = make_stock(owner, telegram)
    sign_in(client, owner.email, PASSWORD)
    return client


def addresses(app: Flask, values: dict[str, str]) -> list[str]:
    """Return the address of whatever can be opened."""
    found = []
    for rule in app.url_map.iter_rules():
        own = rule.endpoint.startswith(("dashboard.", "docs.", "auth.", "home"))
        if own and "GET" in (rule.methods or ()) and rule.arguments <= values.keys():
            with app.test_request_context():
                built = rule.build({name: values[name] for name in rule.arguments})
            assert built is not None
            found.append(built[1])
    assert len(found) > 40
    return sorted(found)


def test_nothing_behind_the_question_mark_is_a_fault(app: Flask, browser: FlaskClient) -> None:
    screens = addresses(app, app.extensions["stock"].values)

    def ask(address: str, query: Mapping[str, str | bytes], headers: Mapping[str, str]) -> None:
        asked = f"{address}?{urlencode(query)}"
        answer = browser.get(asked, headers=headers)
        assert answer.status_code < 500, asked

    # No row's number is so large, and neither database takes it in a query.
    for address in screens:
        ask(address, dict.fromkeys(NAMES, str(2**63)), {})

    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.sampled_from(screens), queries, st.sampled_from(HEADERS))
    def ask_anything(address: str, query: dict[str, str | bytes], headers: dict[str, str]) -> None:
        ask(address, query, headers)

    ask_anything()
