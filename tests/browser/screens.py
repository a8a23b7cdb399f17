"""Every screen of the application, by its address."""

from collections.abc import Mapping

from flask import Flask
from playwright.sync_api import Page, expect

# These lead elsewhere, need a link or a session of their own, or show what somebody else has
# written: tests of theirs open them.
ELSEWHERE = {"auth.sign_in", "auth.second_step", "auth.setup", "auth.invite", "docs.api"}
# These are parts of a screen.
PARTS = {"dashboard.moving.state", "dashboard.testsend.chats", "dashboard.bots.photo"}


def screens(app: Flask, values: Mapping[str, str] | None) -> list[str]:
    """Return the address of each screen that a signed-in owner can open.

    Without values, those that are about nothing in particular.
    """
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith(("dashboard.", "docs.", "auth.")):
            continue
        if "GET" not in (rule.methods or ()) or rule.endpoint in ELSEWHERE | PARTS:
            continue
        if rule.arguments and values is None:
            continue
        lacking = rule.arguments - set(values or {})
        assert not lacking, f"{rule.rule} wants {lacking}: let tests/browser/stock.py make one"
        with app.test_request_context():
            built = rule.build({name: (values or {})[name] for name in rule.arguments})
        assert built is not None
        found.append(built[1])
    assert len(found) > 10
    return sorted(found)


def open_screen(page: Page, address: str) -> None:
    """Open a screen and what is folded on it; see that it is this one and not one it leads to."""
    answer = page.goto(address)
    assert answer is not None
    assert answer.ok, f"{address} answers {answer.status}"
    assert answer.url.endswith(address), f"{address} leads to {answer.url}"
    page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true })")
    # What the screen fetches for itself belongs to it.
    expect(page.locator("[hx-trigger=load], .htmx-request")).to_have_count(0)
