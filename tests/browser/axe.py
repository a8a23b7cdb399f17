"""axe-core, which looks at a page as people see it who cannot see it as others do.

`make` lets npm put it into tests/browser/node_modules.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from playwright.sync_api import Page, ViewportSize

SCRIPT = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]

# WCAG 2.2 is still switched off in axe-core, rule by rule.
_LOOK = """
async (tags) => {
  const found = await axe.run(document, {
    runOnly: { type: "tag", values: tags },
    rules: { "target-size": { enabled: true } },
    resultTypes: ["violations"],
    preload: false,
  });
  return found.violations.map(({ id, help, nodes }) => [id, help, nodes.map((node) => [
    node.target.flat().join(" "),
    node.any.concat(node.all, node.none).map((check) => check.message).join("; "),
  ])]);
}
"""


class View(NamedTuple):
    """A way to look at a page: how wide, what the system is set to, and what the switch."""

    width: int
    system: Literal["light", "dark"]
    theme: Literal["system", "light", "dark"] = "system"

    @property
    def seen(self) -> str:
        """Which of the two themes that comes to."""
        return self.system if self.theme == "system" else self.theme

    def show(self, page: Page) -> None:
        """Make the page look so."""
        size: ViewportSize = {"width": self.width, "height": 740}
        page.set_viewport_size(size)
        # A colour on its way to another one has no contrast yet.
        page.emulate_media(color_scheme=self.system, reduced_motion="reduce")
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", self.theme)


# Both themes in both widths, each by the system's setting once and once by the switch against it.
VIEWS = (
    View(1280, "light"),
    View(1280, "light", "dark"),
    View(360, "dark"),
    View(360, "dark", "light"),
)


# Where a screen has been looked at in all of them, and is now in another state.
FEW_VIEWS = (VIEWS[0], VIEWS[2])


def barriers(page: Page, views: Sequence[View] = FEW_VIEWS) -> list[str]:
    """Say what axe-core finds in the page as it is shown, in each of the views."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT.read_text())
    seen: dict[str, View] = {}
    for view in views:
        view.show(page)
        for sentence in _sentences(page.evaluate(_LOOK, _RULES)):
            seen.setdefault(sentence, view)
    return [f"{sentence} ({' '.join(map(str, view))})" for sentence, view in seen.items()]


def _sentences(violations: list[Any]) -> Iterator[str]:
    for rule, help_text, nodes in violations:
        for target, why in nodes:
            yield f"{rule}: {target}: {help_text}: {why}"
