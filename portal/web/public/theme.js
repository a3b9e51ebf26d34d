/* Applies the chosen theme before the first paint; a plain script, because modules run too late for that. */
(() => {
  try {
    const chosen = localStorage.getItem("muster.theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    /* no storage: the system's theme stands */
  }
})();
