// The test send: the keyboard grows in place, a click chooses a chat, and an upload shows how far it
// is. Listens on the document only, since the form is swapped with each answer.
(() => {
  const form = (element) => element?.closest?.("#compose");

  // A template's content, its places filled in.
  const filled = (id, places) => {
    const html = document.getElementById(id).innerHTML;
    const holder = document.createElement("template");
    holder.innerHTML = Object.entries(places).reduce(
      (text, [name, value]) => text.replaceAll(`__${name}__`, value),
      html,
    );
    return holder.content.firstElementChild;
  };

  const addRow = (button) => {
    const rows = button.closest(".keyboard").querySelector(".keyboard-rows");
    const last = rows.lastElementChild;
    const number = last ? Number(last.dataset.row) + 1 : 0;
    const row = filled("keyboard-row-template", { ROW: number, NUMBER: rows.children.length + 1, PLACE: 0 });
    rows.append(row);
    row.querySelector("input").focus();
  };

  const addButton = (button) => {
    const row = button.closest(".keyboard-row");
    const inputs = row.querySelectorAll(".keyboard-button");
    const last = inputs[inputs.length - 1].querySelector("input").id.split("-")[2];
    const made = filled("keyboard-button-template", { ROW: row.dataset.row, PLACE: Number(last) + 1 });
    button.before(made);
    made.querySelector("input").focus();
  };

  const pick = (button) => {
    const input = document.getElementById("p-chat_id");
    input.value = button.dataset.pick;
    input.focus();
    const chosen = document.createElement("p");
    chosen.className = "form-text";
    chosen.id = "chosen-chat";
    chosen.textContent = button.textContent.trim();
    document.getElementById("chosen-chat")?.remove();
    document.getElementById("chat-choices").prepend(chosen);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#compose [data-add], #compose [data-pick]");
    if (!button) return;
    event.preventDefault();
    if (button.dataset.pick) pick(button);
    else if (button.dataset.add === "row") addRow(button);
    else addButton(button);
  });

  // Enter in the field for a template's name saves: the form's first button would send.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.target.id !== "template") return;
    event.preventDefault();
    document.getElementById("save").click();
  });

  // A file that is too large is said to be so before it is sent.
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.("#compose input[type=file]")) return;
    const most = Number(input.dataset.most) * 1024 * 1024;
    const large = [...input.files].some((file) => file.size > most);
    input.setCustomValidity(large ? input.dataset.tooLarge : "");
    if (large) input.reportValidity();
  });

  // What is typed while the form is being renewed goes into the new one.
  const typed = (element) =>
    new Map([...new FormData(element)].filter(([, value]) => typeof value === "string"));
  let before = null;
  let since = [];

  const isRenewal = (event) => event.detail.target?.id === "compose";

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (isRenewal(event)) before = typed(event.detail.target);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!isRenewal(event) || !before) return;
    since = [...typed(event.detail.target)].filter(([name, value]) => before.get(name) !== value);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (!isRenewal(event)) return;
    const fields = document.getElementById("compose")?.elements;
    for (const [name, value] of since) {
      const field = fields?.namedItem(name);
      if (field && "value" in field) field.value = value;
    }
    since = [];
    before = null;
  });

  const hasFile = (element) =>
    [...element.querySelectorAll("input[type=file]")].some((input) => input.files.length);

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id !== "compose") return;
    document.getElementById("send-error").replaceChildren();
    event.target.querySelector(".upload-state").hidden = !hasFile(event.target);
  });

  document.addEventListener("htmx:xhr:progress", (event) => {
    const { lengthComputable, loaded, total } = event.detail;
    const bar = form(event.target)?.querySelector("#upload-progress");
    if (bar && lengthComputable && total) bar.value = Math.round((loaded / total) * 100);
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.id === "compose") event.target.querySelector(".upload-state").hidden = true;
  });

  // What is wrong comes into sight and has the focus; else an answer that would be out of sight.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id !== "compose" && event.target.id !== "compose") return;
    const wrong = document.querySelector("#compose [aria-invalid=true]");
    const way = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    const path = event.detail.requestConfig?.path ?? "";
    if (wrong) wrong.focus();
    else if (path.endsWith("/test-send")) {
      document.getElementById("answer-state")?.scrollIntoView({ block: "nearest", behavior: way });
    }
  });
})();
