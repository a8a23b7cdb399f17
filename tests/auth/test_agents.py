"""What browsers call themselves, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgm.auth import agents

APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"
LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
CHROMEBOOK = "Mozilla/5.0 (X11; CrOS x86_64 14541)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"
ANDROID = "Mozilla/5.0 (Linux; Android 15; SM-S928B)"
CHROME = f"{BLINK} Chrome/142.0.0.0 Safari/537.36"
MOBILE = f"{BLINK} Chrome/142.0.0.0 Mobile Safari/537.36"
SAMSUNG = f"{BLINK} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("text", "browser", "system"),
    [
        ("Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"),
        (f"{WINDOWS} {CHROME}", "Chrome", "Windows"),
        (f"{WINDOWS} {CHROME} Edg/142.0.0.0", "Edge", "Windows"),
        (f"{LINUX} {CHROME} OPR/120.0.0.0", "Opera", "Linux"),
        (f"{CHROMEBOOK} {CHROME}", "Chrome", "ChromeOS"),
        (f"{MAC} {APPLE} Version/18.5 Safari/605.1.15", "Safari", "macOS"),
        (f"{IPHONE} {APPLE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari", "iPhone"),
        (f"{IPHONE} {APPLE} CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome", "iPhone"),
        (f"{ANDROID} {SAMSUNG}", "Samsung Internet", "Android"),
        (f"{ANDROID} {MOBILE}", "Chrome", "Android"),
        ("curl/8.5.0", "curl", None),
        ("", None, None),
    ],
)
def test_the_browser_and_its_system_are_named(
    text: str, browser: str | None, system: str | None
) -> None:
    assert agents.read(text) == agents.Agent(browser, system)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    agents.read(text)
