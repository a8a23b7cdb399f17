"""Asks a page what is wrong with it. Each answer is a list of sentences, empty when all is well."""

from playwright.sync_api import Page

_STRUCTURE = """
(language) => {
  const wrong = [];
  const shown = (element) => element.outerHTML.slice(0, 120);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const check = (right, sentence) => { if (!right) wrong.push(sentence); };

  check(document.documentElement.lang === language, `lang is ${document.documentElement.lang}`);
  check(document.title.split(" · ")[0].trim(), "it has no title");
  check(all("h1").length === 1, `it has ${all("h1").length} h1`);
  check(all("main").length === 1, `it has ${all("main").length} main`);

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
  for (const element of all("a[href], button, summary")) {
    const name = element.getAttribute("aria-label") || element.textContent;
    check(name.trim(), `no name: ${shown(element)}`);
  }
  let level = 0;
  for (const element of all("main :is(h1, h2, h3, h4)")) {
    const own = Number(element.tagName[1]);
    check(own <= level + 1, `a level is left out above: ${shown(element)}`);
    level = own;
  }
  for (const element of all("[style]")) wrong.push(`style attribute: ${shown(element)}`);
  return wrong;
}
"""

# WCAG 2's contrast: 4.5, and 3 for large text. Backgrounds here are plain colours.
_CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const background = (element) => {
    if (!element) return [255, 255, 255];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, background(element.parentElement));
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const wrong = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(".visually-hidden, .visually-hidden-focusable, script, style")) continue;
    const style = getComputedStyle(element);
    const below = background(element);
    const [light, dark] = [luminance(over(rgba(style.color), below)), luminance(below)]
      .sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < (large ? 3 : 4.5)) wrong.add(`${contrast.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  return [...wrong];
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
    """Headings, title, language, ids, labels and names, and no style attribute."""
    found: list[str] = page.evaluate(_STRUCTURE, language)
    return found


def faults_of_contrast(page: Page) -> list[str]:
    """Text that is too pale for its background."""
    found: list[str] = page.evaluate(_CONTRAST)
    return found


def faults_of_width(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    found: list[str] = page.evaluate(_WIDTH)
    return found
