// Runs before the page is painted, so that a dark system never sees a white flash.
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    root.dataset.bsTheme = dark.matches ? "dark" : "light";
  };
  root.classList.add("has-script");
  apply();
  dark.addEventListener("change", apply);
})();
