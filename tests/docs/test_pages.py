"""Anybody may read the documentation, in both languages, and it is complete."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.browsing import submit
from tests.docs.conftest import Page
from tgm.docs.reference import ADDRESSES, TABLES, is_file, written
from tgm.extensions import Base

LANGUAGES = ("en", "id")
HEADINGS = {
    "/docs/": {"en": "API documentation", "id": "Dokumentasi API"},
    "/docs/reference": {"en": "Reference", "id": "Referensi"},
    "/docs/api": {"en": "Try the API", "id": "Coba API"},
}
ANCHOR = re.compile(r'id="([^"]+)"')


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", HEADINGS)
def test_a_stranger_reads_it_in_the_browsers_language(page: Page, path: str, language: str) -> None:
    text = page(path, language)
    assert f'<html lang="{language}"' in text
    assert f"<title>{HEADINGS[path][language]} · TGM</title>" in text


@pytest.mark.parametrize("path", HEADINGS)
def test_the_switch_beats_the_browser(client: FlaskClient, path: str) -> None:
    for language in LANGUAGES:
        submit(client, path, "/auth/language", language=language, next=path)
        text = client.get(path, headers={"Accept-Language": "en"}).text
        assert f"<title>{HEADINGS[path][language]} · TGM</title>" in text


def test_who_has_signed_in_reads_it_too(signed_in: FlaskClient) -> None:
    for path in HEADINGS:
        assert signed_in.get(path).status_code == 200


def test_both_languages_have_the_same_parts_samples_and_codes(page: Page) -> None:
    english, indonesian = (page("/docs/", language) for language in LANGUAGES)
    for pattern in (ANCHOR, re.compile(r"<code>(\d{3}|[A-Z][\w-]*-[\w-]+)</code>")):
        assert set(pattern.findall(english)) == set(pattern.findall(indonesian))
    for name in ANCHOR.findall(english):
        if name.startswith("sample-"):
            assert _code(english, name) == _code(indonesian, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_of_the_gateways_is_explained(page: Page, language: str) -> None:
    table = page("/docs/", language).partition('<section id="errors"')[2].partition("</section>")[0]
    codes = re.findall(r"<code>(\d{3})</code>", table)
    assert codes == ["400", "401", "403", "404", "405", "409", "413", "422", "429", "502"]


@pytest.mark.given(MAX_UPLOAD_MB="23", RATE_LIMIT_PER_MINUTE="77", REQUEST_LOG_DAYS="9")
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_names_this_installations_own_limits(page: Page, language: str) -> None:
    text = page("/docs/", language)
    assert "X-RateLimit-Limit: 77" in text
    assert "23 MB" in text
    assert re.search(r"\b9 (days|hari)\b", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reference_lists_every_address(app: Flask, page: Page, language: str) -> None:
    text = page("/docs/reference", language)
    rules = [rule for rule in app.url_map.iter_rules() if not is_file(rule)]
    missing = [rule.rule for rule in rules if f"<code>{written(rule)}</code>" not in text]
    assert missing == []
    silent = sorted({rule.endpoint for rule in rules} - set(ADDRESSES))
    assert silent == [], f"Give these a line in tgm/docs/reference.py: {silent}"


def test_the_reference_speaks_of_nothing_that_is_gone(app: Flask) -> None:
    assert sorted(set(ADDRESSES) - set(app.view_functions)) == []
    assert sorted(set(TABLES) - set(Base.metadata.tables)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reference_lists_every_table(page: Page, language: str) -> None:
    text = page("/docs/reference", language)
    missing = [name for name in Base.metadata.tables if f"<code>{name}</code>" not in text]
    assert missing == [], f"Give these a line in tgm/docs/reference.py: {missing}"


def _code(text: str, name: str) -> str:
    return text.partition(f'<code id="{name}">')[2].partition("</code>")[0]
