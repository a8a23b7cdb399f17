// Lists that renew themselves, and the panel in which a row of theirs opens.
//
// A list with [data-live] names the address of its page. The same address is asked for events, which
// bring the list anew after each change; where that does not work, it is asked every few seconds.
// A row that comes without cells is one that is here already, and stays as it is.
// Rows are put in and changed one by one, so that focus, selection and scrolling stay as they are.
(() => {
  const POLL_MS = 5000;
  const RETRY_STREAM_MS = 60000;
  const LONGEST_WAIT_MS = 30000;
  const TRIES = 3;
  const STEADY_MS = 10000; // A stream that held for so long was a good one.
  const htmx = window.htmx;

  const parse = (html) => new DOMParser().parseFromString(html, "text/html");

  // Bring `own` to look like `fresh`; cells that are the same are not touched.
  const renewRow = (own, fresh) => {
    if (!fresh.cells.length) return;
    [...fresh.cells].forEach((cell, place) => {
      const old = own.cells[place];
      if (!old) own.append(cell.cloneNode(true));
      else if (old.outerHTML !== cell.outerHTML) old.replaceWith(cell.cloneNode(true));
    });
    htmx.process(own);
  };

  const order = (row) => Number(row.dataset.seq);

  // Put the fresh first page into the list; what was loaded below it stays. Returns the new rows.
  const merge = (body, fresh, hasMore) => {
    const page = new Map([...fresh.rows].map((row) => [row.id, row]));
    const newest = body.rows.length ? order(body.rows[0]) : 0;
    const oldest = order(fresh.rows[fresh.rows.length - 1]);
    const isLonger = body.dataset.extended && hasMore;
    for (const row of [...body.rows]) {
      if (!page.has(row.id) && !(isLonger && order(row) < oldest)) row.remove();
    }
    const added = [];
    let place = body.rows[0] || null;
    for (const row of page.values()) {
      const own = document.getElementById(row.id);
      if (own) {
        if (own === place) place = own.nextElementSibling;
        else body.insertBefore(own, place);
        renewRow(own, row);
      } else {
        const made = document.importNode(row, true);
        body.insertBefore(made, place);
        htmx.process(made);
        if (order(made) > newest) added.push(made);
      }
    }
    return added;
  };

  // Whether every row that came without cells is here.
  const hasAll = (rows) =>
    [...(rows ? rows.rows : [])].every((row) => row.cells.length || document.getElementById(row.id));

  // Show a fresh list in place of `section`'s. Returns its new rows, null where there is none, or
  // where rows are lacking for it.
  const renew = (section, html) => {
    const fresh = parse(html).getElementById(section.id);
    if (!fresh) return null;
    const body = section.querySelector("tbody");
    const rows = fresh.querySelector("tbody");
    if (!hasAll(rows)) return null;
    if (!body || !rows) {
      if (section.innerHTML === fresh.innerHTML) return [];
      section.replaceChildren(...fresh.childNodes);
      htmx.process(section);
      return [...section.querySelectorAll("tbody tr")];
    }
    const link = fresh.querySelector("nav.older");
    const hasMore = Boolean(link && link.firstElementChild);
    const wasLonger = body.dataset.extended && hasMore;
    const added = merge(body, rows, hasMore);
    const own = section.querySelector("nav.older");
    if (!wasLonger && own && link && own.outerHTML !== link.outerHTML) {
      const hadFocus = own.contains(document.activeElement);
      own.replaceWith(link);
      htmx.process(link);
      if (hadFocus) link.querySelector("a")?.focus({ preventScroll: true });
    }
    return added;
  };

  class Follower {
    constructor(section) {
      this.section = section;
      this.url = section.dataset.live;
      this.bar = document.querySelector(`[data-live-bar="${section.id}"]`);
      this.failures = 0;
      this.isPaused = false;
      this.isOver = false;
      this.unsaid = 0;
    }

    show(state) {
      if (!this.bar) return;
      this.bar.dataset.state = state;
      this.bar.querySelector("[data-live-state]").textContent = this.bar.getAttribute(`data-text-${state}`);
    }

    open() {
      this.close();
      if (this.isPaused || this.isOver || document.hidden) return;
      if (!window.EventSource || this.failures >= TRIES) {
        this.poll();
        return;
      }
      if (this.bar?.dataset.state !== "live") this.show("connecting");
      const source = new EventSource(this.url);
      const began = Date.now();
      this.source = source;
      source.onmessage = (event) => {
        this.take(event.data);
        this.show("live");
        if (Date.now() - began > STEADY_MS) this.failures = 0;
      };
      source.onerror = () => {
        // Not left to the browser, which would try for ever, and at the same pace.
        const wasSteady = Date.now() - began > STEADY_MS;
        this.failures = wasSteady ? 0 : this.failures + 1;
        this.close();
        if (wasSteady) this.later(300 + Math.random() * 700);
        else this.later(Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures) * (0.5 + Math.random()));
      };
    }

    later(milliseconds) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.open(), milliseconds);
    }

    async poll() {
      this.show("polling");
      const asked = new AbortController();
      this.asked = asked;
      this.pollingSince ??= Date.now();
      try {
        const answer = await fetch(this.url, {
          headers: { "HX-Request": "true" },
          signal: asked.signal,
        });
        if (answer.redirected || [401, 403, 404].includes(answer.status)) {
          // Signed out, or no longer allowed: asking again would change nothing.
          this.isOver = true;
          this.show("off");
          return;
        }
        if (answer.ok) this.take(await answer.text());
      } catch {
        // The network is away: it is asked again as usual.
      }
      if (asked.signal.aborted) return;
      if (Date.now() - this.pollingSince > RETRY_STREAM_MS) {
        this.failures = 0;
        this.pollingSince = undefined;
      }
      this.later(POLL_MS);
    }

    close() {
      clearTimeout(this.timer);
      this.source?.close();
      this.source = null;
      this.asked?.abort();
    }

    take(html) {
      const added = renew(this.section, html);
      if (added === null) {
        this.close();
        this.later(1000); // A new stream begins with the whole list.
        return;
      }
      mark();
      if (!this.hasPage) {
        this.hasPage = true;
        return;
      }
      for (const row of added) row.classList.add("is-new");
      this.unsaid += added.length;
      if (this.unsaid) this.say();
    }

    // Say how many rows are new: the list itself would be too much for a screen reader.
    say() {
      clearTimeout(this.saying);
      this.saying = setTimeout(() => {
        const said = this.bar?.querySelector("[data-live-said]");
        if (said) said.textContent = `${this.bar.dataset.news} ${this.unsaid}`;
        this.unsaid = 0;
      }, 1000);
    }

    toggle(button) {
      this.isPaused = !this.isPaused;
      button.dataset.pause ??= button.textContent;
      button.textContent = this.isPaused ? button.dataset.go : button.dataset.pause;
      if (this.isPaused) {
        this.close();
        this.show("paused");
      } else {
        this.open();
      }
    }
  }

  const followers = new Map();

  const tend = () => {
    for (const [section, follower] of followers) {
      if (!section.isConnected) {
        follower.close();
        followers.delete(section);
      }
    }
    for (const section of document.querySelectorAll("[data-live]")) {
      if (followers.has(section)) continue;
      const follower = new Follower(section);
      followers.set(section, follower);
      follower.open();
    }
    mark();
  };

  // The panel

  const wide = window.matchMedia("(width >= 75rem)");
  const panelOf = () => document.getElementById("detail-panel");
  let asking = 0;

  const chosen = () => new URLSearchParams(location.search).get("open");

  // The row whose detail is open, whichever way the list came.
  const mark = () => {
    const id = panelOf()?.firstElementChild ? chosen() : null;
    for (const link of document.querySelectorAll("a[data-detail]")) {
      const row = link.closest("tr");
      if (link.dataset.detail === id) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  };

  // The same that htmx notes, so that Back and Forward load the page the address names.
  const go = (id) => {
    const url = new URL(location.href);
    if (id) url.searchParams.set("open", id);
    else url.searchParams.delete("open");
    history.replaceState({ htmx: true }, "", location.href);
    history.pushState({ htmx: true }, "", url);
  };

  const openDetail = async (link) => {
    const turn = ++asking;
    const panel = panelOf();
    const url = new URL(link.href);
    url.searchParams.set("in", "panel");
    let html;
    try {
      const answer = await fetch(url, { headers: { "HX-Request": "true" } });
      if (!answer.ok || answer.redirected) throw new Error("no detail");
      html = await answer.text();
    } catch {
      location.assign(link.href);
      return;
    }
    if (turn !== asking || !panel.isConnected) return;
    panel.replaceChildren(...parse(html).body.childNodes);
    htmx.process(panel);
    if (chosen() !== link.dataset.detail) go(link.dataset.detail);
    mark();
    panel.scrollTop = 0;
    document.getElementById("panel-heading")?.focus({ preventScroll: true });
  };

  const closeDetail = () => {
    asking += 1;
    const link = document.querySelector("tr[aria-current] a[data-detail]");
    panelOf().replaceChildren();
    go(null);
    mark();
    (link || document.getElementById("main")).focus({ preventScroll: true });
  };

  // Caught on the way down, before htmx hears of it.
  document.addEventListener("click", (event) => {
    const target = event.target.closest("a, button");
    if (!target) return;
    if (target.matches("[data-live-toggle]")) {
      const id = target.closest("[data-live-bar]").dataset.liveBar;
      followers.get(document.getElementById(id))?.toggle(target);
      return;
    }
    const isPlain = !(event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (!isPlain || !panelOf()) return;
    if (target.matches("[data-close-panel]")) {
      event.preventDefault();
      event.stopPropagation();
      closeDetail();
    } else if (target.matches("a[data-detail]") && wide.matches) {
      event.preventDefault();
      event.stopPropagation();
      openDetail(target);
    }
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panelOf()?.contains(document.activeElement)) closeDetail();
  });

  // "Older" has put rows below: from now on the list is longer than its first page.
  document.addEventListener("htmx:afterSwap", (event) => {
    const body = event.detail.target;
    if (!body?.matches?.("[data-live] tbody")) return;
    body.dataset.extended = "true";
    const seen = new Set();
    for (const row of [...body.rows]) {
      if (seen.has(row.id)) row.remove();
      seen.add(row.id);
    }
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    tend();
    const body = event.detail.target;
    if (!body?.matches?.("tbody") || document.activeElement !== document.body) return;
    // The link to older rows is gone: the last row is where reading goes on.
    body.rows[body.rows.length - 1]?.querySelector("a")?.focus({ preventScroll: true });
  });
  // What nobody sees needs no connection; browsers have few for each server.
  document.addEventListener("visibilitychange", () => {
    for (const follower of followers.values()) {
      if (document.hidden) follower.close();
      else follower.open();
    }
  });
  window.addEventListener("pagehide", () => {
    for (const follower of followers.values()) follower.close();
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const follower of followers.values()) follower.open();
  });

  tend();
})();
