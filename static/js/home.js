// What renews itself rests while nobody sees it, and catches up when the window is looked at again.
(() => {
  const resting = "[data-while-seen]";

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.matches(resting)) event.preventDefault();
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll(resting)) {
      element.dispatchEvent(new CustomEvent("seen-again"));
    }
  });
})();
