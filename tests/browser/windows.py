"""Windows of a browser that hear whatever the browser complains of."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    expect,
    sync_playwright,
)

# The machine may have one processor and other work.
PATIENCE_MS = 15_000

_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # pytest-socket watches this process only: here the browser can find no other host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`);
});
"""

# A form that comes back with a sentence beside its field is answered 422, which the browser, and
# htmx after it, call an error.
_ORDINARY = ("status of 422", "Response Status Error Code 422")


@contextmanager
def launched(program: str) -> Iterator[Browser]:
    """Run Debian's chromium without a screen."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=_OPTIONS,
            # Playwright switches this cache off; but people's browsers have it, and Back shows it.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        try:
            yield browser
        finally:
            browser.close()


class Windows:
    """Opens windows; `complaints` holds every error, CSP violation and request to another host."""

    def __init__(self, browser: Browser, url: str, stack: ExitStack) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._url = url
        self._stack = stack

    def open(self, **options: Any) -> Page:
        """Open a window with cookies of its own. `options` are those of `new_context`."""
        given = {"base_url": self._url, "locale": "en-US", **options}
        context: BrowserContext = self._browser.new_context(**given)
        self._stack.callback(context.close)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        return context.new_page()

    def wait_for_complaint(self, page: Page, part: str) -> None:
        """Wait until a window has complained of `part`."""
        until = time.monotonic() + PATIENCE_MS / 1000
        while not any(part in said for said in self.complaints):
            assert time.monotonic() < until, f"nothing about {part}: {self.complaints}"
            # Events come in while the page is asked something.
            page.title()

    def forgive(self, part: str) -> None:
        """Drop the complaints that a test has provoked."""
        self.complaints = [said for said in self.complaints if part not in said]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        if not any(part in message.text for part in _ORDINARY):
            where = message.location["url"].removeprefix(self._url)
            self.complaints.append(f"{message.type}: {message.text} ({where})")

    def _error(self, error: WebError) -> None:
        self.complaints.append(f"uncaught: {error.error}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._url + "/", "data:")):
            self.complaints.append(f"another host: {request.url}")
