"""What every page and every file that pages load must keep to."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tgm.settings import PROJECT

LONGEST_SCRIPT = 350
TEMPLATES = sorted((PROJECT / "templates").rglob("*.html"))
SCRIPTS = sorted((PROJECT / "static").rglob("*.js"))
OWN = sorted((PROJECT / "static").rglob("*.*"))


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_is_a_page_or_a_part_of_one(path: Path) -> None:
    text = path.read_text()
    if path.name.startswith("_") or path.parent.name == "components":
        assert "{% extends" not in text, "a part has no frame of its own"
        assert "<h1" not in text, "the page has the h1"
    elif path.name != "base.html":
        assert '{% extends "base.html" %}' in text, "a page extends base.html; a part begins with _"
        assert "{% block title %}" in text, "a page has a title"


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_templates_need_no_exception_from_the_content_security_policy(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle=", text), "no style attribute: write a class in static/css"
    assert not re.search(r"\s(hx-)?on[:\w]*=", text), "no inline handler: write it in static/js"
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "no inline script"
    assert "<style" not in text, "no inline style"
    assert not re.search(r"(src|href|action)=\"(https?:)?//", text), "nothing from another host"


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_templates_escape_what_other_people_wrote(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\|\s*safe\b|\bautoescape\b", text), "escape it: Markup is made in tgm/"


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_need_no_exception_either(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_SCRIPT, "what are its two subjects?"
    assert not re.search(r"\beval\(|new Function\(|\.style\b|\"style\"", text), "use a class"
    assert not re.search(r"https?://", text), "nothing from another host"


def test_pages_load_files_that_are_there_and_all_of_our_own(
    app: Flask, client: FlaskClient
) -> None:
    html = client.get("/auth/sign-in").text
    loaded = re.findall(r'<(?:link|script)\b[^>]*\s(?:href|src)="([^"?]+)\?v=', html)
    assert len(loaded) == len(re.findall(r"<(?:link|script)\b", html)), "give each a version"
    gone = [address for address in loaded if client.get(address).status_code != 200]
    assert gone == [], "base.html names a file that is not there"
    served = {address.removeprefix("/static/") for address in loaded}
    idle = {str(path.relative_to(PROJECT / "static")) for path in OWN} - served
    assert idle == set(), "no page loads these: name them in base.html, or delete them"
