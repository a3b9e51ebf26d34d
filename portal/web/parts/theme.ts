/**
 * The theme: as the system says, light or dark, kept in this browser.
 *
 * Invariant: only the attribute data-theme on the root changes; every colour follows from styles/sheets/roles.css.
 * public/theme.js applies the kept choice before the first paint.
 */
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "muster.theme";

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "dark" || value === "light" ? value : "system";
  } catch {
    return "system";
  }
}

export const theme = signal<Theme>(kept());

/** Choose a theme and remember it. */
export function choose(next: Theme): void {
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    /* no storage: the choice lasts as long as the page */
  }
}
