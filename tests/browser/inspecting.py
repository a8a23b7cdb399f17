"""Asks a page what is wrong with it. Each answer is a list of sentences, empty when all is well.

Here is what axe-core (tests/browser/axe.py) does not look at, or takes less strictly.
"""

from playwright.sync_api import Page

_STRUCTURE = """
async (language) => {
  const wrong = [];
  const shown = (element) => element.outerHTML.slice(0, 120);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const check = (right, sentence) => { if (!right) wrong.push(sentence); };

  check(document.documentElement.lang === language, `lang is ${document.documentElement.lang}`);
  check(document.title.split(" · ")[0].trim(), "it has no title");
  check(all("h1").length === 1, `it has ${all("h1").length} h1`);

  const ids = all("[id]").map((element) => element.id);
  const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
  check(twice.length === 0, `ids used twice: ${twice}`);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "for"]) {
    for (const element of all(`[${name}]`)) {
      for (const id of element.getAttribute(name).split(/\\s+/)) {
        check(document.getElementById(id), `${name} names ${id}, which is not there`);
      }
    }
  }

  const fields = "input:not([type=hidden], [hidden]), select, textarea";
  for (const element of all(fields)) {
    const label = element.labels?.[0]?.textContent || element.getAttribute("aria-label");
    check(label?.trim(), `no label: ${shown(element)}`);
  }
  for (const element of all("[style]")) wrong.push(`style attribute: ${shown(element)}`);

  const sprites = {};
  for (const element of all("use")) {
    const [address, id] = element.href.baseVal.split("#");
    if (address) sprites[address] ??= await (await fetch(address)).text();
    const found = address ? sprites[address].includes(` id="${id}"`) : document.getElementById(id);
    check(found, `no such icon: ${id}`);
  }
  return wrong;
}
"""

_WIDTH = """
() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return [];
  const wide = [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > room + 0.5)
    .map((element) => element.outerHTML.slice(0, 100));
  return [`it scrolls to ${document.documentElement.scrollWidth}: ${wide.slice(-2)}`];
}
"""


def faults_of_structure(page: Page, language: str = "en") -> list[str]:
    """One heading, title, language, ids, labels, icons, and no style attribute."""
    found: list[str] = page.evaluate(_STRUCTURE, language)
    return found


def faults_of_width(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    found: list[str] = page.evaluate(_WIDTH)
    return found
