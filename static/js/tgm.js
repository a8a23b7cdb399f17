// Copy buttons, forms that are sent once, the reader's time zone, and where the focus goes after a
// page was swapped in. Listens on the document only, so that nothing has to be bound again after a
// swap.
(() => {
  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };

  const copy = async (element) => {
    try {
      await navigator.clipboard.writeText(element.textContent);
    } catch {
      // Browsers offer the clipboard to HTTPS and localhost only; a box on a LAN has neither.
      select(element);
      document.execCommand("copy");
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      await copy(document.getElementById(button.dataset.copy));
      const label = button.textContent;
      if (label !== button.dataset.done) {
        button.textContent = button.dataset.done;
        setTimeout(() => { button.textContent = label; }, 2000);
      }
      return;
    }
    for (const menu of document.querySelectorAll("details.site-menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    const menu = document.querySelector("details.site-menu[open]");
    if (event.key === "Escape" && menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // A second press must not do a thing twice. Caught on the way down, before htmx hears of it.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      event.stopPropagation();
    } else if (form.method === "post") {
      form.setAttribute("aria-busy", "true");
    }
  }, true);

  const release = () => {
    for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
  };
  document.addEventListener("htmx:afterRequest", (event) => {
    event.target.closest("form")?.removeAttribute("aria-busy");
  });
  // Back shows the page as it was left, busy forms and all.
  window.addEventListener("pageshow", release);

  // Times are written by the server: it learns the zone from here.
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  if (timeZone) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie =
      `tgm_zone=${encodeURIComponent(timeZone)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  }

  // In a row that scrolls sideways, the entry of this page comes into sight.
  const show = () => {
    const bar = document.querySelector(".site-nav");
    const here = bar?.querySelector("[aria-current]");
    if (here) bar.scrollLeft = here.offsetLeft - bar.offsetLeft - 16;
  };
  document.addEventListener("DOMContentLoaded", show);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target === document.body) show();
  });

  // A form that came back as a whole page: what is wrong comes first.
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("main [aria-invalid=true]")?.focus();
  });

  // After a boosted link or form the old focus is gone: a screen reader would start at the top, in
  // silence. The first wrong field comes first, then what asks for the focus, then the content.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target !== document.body) return;
    const next =
      document.querySelector("main [aria-invalid=true]") || document.querySelector("main [autofocus]");
    (next || document.getElementById("main")).focus({ preventScroll: !next });
    if (!window.location.hash) window.scrollTo(0, 0);
  });
})();
