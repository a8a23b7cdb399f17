"""How much a screen makes a browser load: little the first time, the page alone after that."""

import re
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page

from tests.browser.screens import screens
from tests.browser.stock import Stock

MOST = 250_000
# What a browser loads with the page, and not only when somebody asks for it.
_LOADED = re.compile(r'<(?:link|script|img|use|source)\b[^>]*?\s(?:xlink:)?(?:href|src)="([^"#]+)')


def parts(html: str) -> set[str]:
    """Return the address of everything that a page loads."""
    return {unescape(address) for address in _LOADED.findall(html)}


def size(client: FlaskClient, address: str) -> int:
    """Return the bytes of an answer and of its headers."""
    answer = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200, f"{address} answers {answer.status}"
    return len(answer.data) + len(str(answer.headers).encode())


def test_no_screen_weighs_more_than_250_kb_the_first_time(
    app: Flask, stock: Stock, signed_in: FlaskClient
) -> None:
    sizes: dict[str, int] = {}
    too_heavy = {}
    for address in screens(app, stock.values):
        html = signed_in.get(address).text
        loaded = {part for part in parts(html) if not part.startswith("data:")}
        assert any("bootstrap.min.css" in part for part in loaded)
        for part in loaded - sizes.keys():
            sizes[part] = size(signed_in, part)
        whole = size(signed_in, address) + sum(sizes[part] for part in loaded)
        if whole > MOST:
            too_heavy[address] = whole
    assert too_heavy == {}
    assert sum(sizes.values()) < 150_000, f"the files that pages share: {sizes}"


def test_a_second_visit_loads_the_page_alone(stock: Stock, owners: Page) -> None:
    asked: dict[str, str] = {}
    loaded: list[str] = []

    def note(event: dict[str, Any]) -> None:
        asked[event["requestId"]] = event["request"]["url"]

    def finish(event: dict[str, Any]) -> None:
        if event["encodedDataLength"]:
            loaded.append(asked[event["requestId"]])

    owners.goto("/dashboard/bots")
    watch = owners.context.new_cdp_session(owners)
    watch.on("Network.requestWillBeSent", note)
    watch.on("Network.loadingFinished", finish)
    watch.send("Network.enable")
    owners.goto("/dashboard/api-keys", wait_until="networkidle")
    assert [url.partition("/dashboard/")[2] for url in loaded] == ["api-keys"]
