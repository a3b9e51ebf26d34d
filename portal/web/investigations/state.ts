/**
 * Everything the Investigations page knows, as signals: the text, what was asked, what came back, what is looked at.
 *
 * Invariant: whatever a person would miss after reload is written to the address or the history entry by `keep`, and
 * `restore` is its reverse. Asking is ask.ts's matter, drawing that of the components.
 */
import { computed, signal } from "@preact/signals";
import { boot } from "../api/boot";
import type { Failure } from "../api/client";
import type { DeviceRef, QueryResult } from "../api/wire";
import { here, isZone } from "../values/times";
import { permutation, type Sort } from "../values/order";
import { type Address, type Kept, kept, newEntry, parse, write } from "./address";

export type Drawer =
  | { kind: "row"; row: number }
  | { kind: "act" }
  | { kind: "run"; id: string }
  | { kind: "runs" }
  | { kind: "keys" }
  | { kind: "explain" };

export type Outcome =
  | { kind: "none" }
  | { kind: "asking"; since: number }
  | { kind: "rows"; result: QueryResult; more: boolean }
  | { kind: "failed"; failure: Failure };

export const accountZone = isZone(boot.account.zone) ? boot.account.zone : here();
export const text = signal("");
export const asked = signal("");
export const chosenZone = signal<string | null>(null);
export const zone = computed(() => chosenZone.value ?? accountZone);
export const outcome = signal<Outcome>({ kind: "none" });
export const sort = signal<Sort | null>(null);
export const selected = signal<ReadonlySet<number>>(new Set());
export const drawer = signal<Drawer | null>(null);
export const entry = signal(newEntry());
/** Whether the person wants the rows kept up to date; how that goes is live.ts's matter. */
export const following = signal(false);

export const result = computed(() => (outcome.value.kind === "rows" ? outcome.value.result : null));
export const order = computed(() => {
  const found = result.value;
  return found ? permutation(found.rows, found.columns, sort.value) : new Uint32Array();
});

/** The devices of the selected rows, each once, in the order of the rows. */
export const chosenDevices = computed(() => {
  const devices = result.value?.devices;
  if (!devices) return [];
  const found = new Map<string, DeviceRef>();
  for (const row of [...selected.value].sort((a, b) => a - b)) {
    const device = devices[row];
    if (device) found.set(device.uid, device);
  }
  return [...found.values()];
});

const MOST_KEPT = 20_000;
const PAUSE = 300;

function address(): Address {
  const open = drawer.value;
  return {
    query: asked.value,
    zone: chosenZone.value,
    sort: sort.value,
    row: open?.kind === "row" ? open.row : null,
    run: open?.kind === "run" ? open.id : null,
    panel: open && open.kind !== "row" && open.kind !== "run" ? open.kind : null,
    live: following.value,
  };
}

function keeping(): Kept {
  const rows = selected.value.size > MOST_KEPT ? [] : [...selected.value];
  const devices = result.value?.devices;
  return {
    entry: entry.value,
    draft: text.value === asked.value ? null : text.value,
    selected: rows,
    devices: devices ? rows.map((row) => devices[row]?.uid ?? "") : null,
  };
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Write the state into the address; `push` makes a step that Back undoes. */
export function keep(push = false): void {
  clearTimeout(timer);
  if (push) entry.value = newEntry();
  write(address(), keeping(), push);
}

/** Write it when typing or selecting pauses: browsers refuse more than a few writes a second. */
export function keepSoon(): void {
  clearTimeout(timer);
  timer = setTimeout(keep, PAUSE);
}

/** Take the state from the address and the history entry; returns what the entry kept. */
export function restore(): Kept {
  clearTimeout(timer);
  const given = parse(location.hash);
  const keeps = kept();
  entry.value = keeps.entry;
  chosenZone.value = given.zone && isZone(given.zone) ? given.zone : null;
  sort.value = given.sort;
  asked.value = given.query;
  text.value = keeps.draft ?? given.query;
  selected.value = new Set();
  drawer.value = drawerOf(given);
  following.value = given.live;
  return keeps;
}

function drawerOf(given: Address): Drawer | null {
  if (given.run) return { kind: "run", id: given.run };
  if (given.row !== null) return { kind: "row", row: given.row };
  return given.panel ? { kind: given.panel } : null;
}

/** Open the drawer on something, or close it; part of the address. */
export function open(next: Drawer | null): void {
  drawer.value = next;
  keep();
}
