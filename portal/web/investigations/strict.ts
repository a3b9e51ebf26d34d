/**
 * Whether this person writes NQL for Nexthink alone: then what is ours is refused, and said by name.
 *
 * Invariant: kept in this browser for each account, and the same for everything that looks at the text.
 */
import { signal } from "@preact/signals";
import { boot } from "../api/boot";

const KEY = `muster.strict.${boot.account.name}`;

function kept(): boolean {
  try {
    return localStorage.getItem(KEY) === "nexthink";
  } catch {
    return false;
  }
}

export const strict = signal(kept());

/** Switch, and remember it. */
export function setStrict(on: boolean): void {
  strict.value = on;
  try {
    if (on) localStorage.setItem(KEY, "nexthink");
    else localStorage.removeItem(KEY);
  } catch {
    /* no storage: it lasts as long as the page */
  }
}

/** The part of a request that says so. */
export function strictly(): { strict?: "nexthink" } {
  return strict.peek() ? { strict: "nexthink" } : {};
}
