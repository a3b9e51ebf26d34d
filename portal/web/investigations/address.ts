/**
 * The address is the state: query, zone, sort, whether it is live, and what the drawer shows, read from and written to the part after `#`.
 *
 * After `#` because it survives the way through sign-in, never reaches a log, and has no length limit worth a name. What is
 * too large for an address (selection, unasked draft) goes into the history entry, which survives reload, back and forward.
 * Invariant: read(write(x)) = x.
 */
import type { Sort } from "../values/order";

export interface Address {
  query: string;
  zone: string | null;
  sort: Sort | null;
  row: number | null;
  run: string | null;
  panel: "runs" | "act" | "keys" | "explain" | null;
  live: boolean;
}

/** What a history entry keeps: `devices` are the uids of the selected rows, so that other rows are never taken for them. */
export interface Kept {
  entry: string;
  draft: string | null;
  selected: number[];
  devices: string[] | null;
}

const PANELS = new Set(["runs", "act", "keys", "explain"]);

/** The state that an address names; unknown or broken parts are left out. */
export function parse(hash: string): Address {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const sort = /^(\d+)(-?)$/.exec(given.get("sort") ?? "");
  const row = /^\d+$/.exec(given.get("row") ?? "");
  const panel = given.get("panel") ?? "";
  return {
    query: given.get("q") ?? "",
    zone: given.get("zone"),
    sort: sort ? { column: Number(sort[1]), descending: sort[2] === "-" } : null,
    row: row ? Number(row[0]) : null,
    run: given.get("run"),
    panel: PANELS.has(panel) ? (panel as Address["panel"]) : null,
    live: given.get("live") === "1",
  };
}

/** The address of a state, from `#` on; empty for the empty page. */
export function format(address: Address): string {
  const parts = new URLSearchParams();
  if (address.query) parts.set("q", address.query);
  if (address.zone) parts.set("zone", address.zone);
  if (address.sort) parts.set("sort", `${address.sort.column}${address.sort.descending ? "-" : ""}`);
  if (address.row !== null) parts.set("row", String(address.row));
  if (address.run) parts.set("run", address.run);
  if (address.panel) parts.set("panel", address.panel);
  if (address.live) parts.set("live", "1");
  const text = parts.toString();
  return text ? `#${text}` : "";
}

const AWAY = "muster.away";

/** Keep the present entry's state over a way through sign-in, which ends in a new entry. */
export function takeAlong(): void {
  try {
    sessionStorage.setItem(AWAY, JSON.stringify({ hash: location.hash, state: history.state as unknown }));
  } catch {
    /* no storage: what was not asked yet is lost */
  }
}

function broughtBack(): Partial<Kept> {
  try {
    const found = JSON.parse(sessionStorage.getItem(AWAY) ?? "{}") as { hash?: string; state?: Partial<Kept> };
    sessionStorage.removeItem(AWAY);
    return found.hash === location.hash ? (found.state ?? {}) : {};
  } catch {
    return {};
  }
}

/** What the present history entry keeps beside its address. */
export function kept(): Kept {
  const state = (history.state as Partial<Kept> | null) ?? broughtBack();
  const { entry = newEntry(), draft = null, selected = [], devices = null } = state;
  return { entry, draft, selected, devices };
}

/** A name for a new history entry. */
export function newEntry(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (word) => word.toString(36)).join("");
}

/** Write the address and what is kept; `push` makes a new history entry. */
export function write(address: Address, keep: Kept, push: boolean): void {
  const url = `${location.pathname}${location.search}${format(address)}`;
  if (push) history.pushState(keep, "", url);
  else history.replaceState(keep, "", url);
}
