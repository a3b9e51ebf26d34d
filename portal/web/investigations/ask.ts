/**
 * Asking: from a text to rows or a failure, with cancel, more rows, and the way back to what was seen.
 *
 * Invariants: one question at a time, the newest wins; what is on the page stays until an answer comes or PATIENCE (ms) is
 * over; a page seen before is shown again as it was when going back or forward, not asked anew.
 */
import { asFailure, type Failure, isAbort, json, send } from "../api/client";
import type { QueryResult } from "../api/wire";
import { say } from "../parts/toast";
import type { Kept } from "./address";
import { ended, follow, leave, newId, onlyLive } from "./live";
import { asked, drawer, entry, following, keep, outcome, restore, result, selected, sort, text, zone } from "./state";
import { remember } from "./recent";
import { strictly } from "./strict";

const PATIENCE = 150;
const PAGE = 10_000;
const MOST_SEEN = 6;

interface Seen {
  query: string;
  zone: string;
  result: QueryResult;
}

const seen = new Map<string, Seen>();
let under: { abort: AbortController; id: string } | null = null;

/** Ask what stands in the editor: a new step in the history. */
export async function run(): Promise<void> {
  const query = text.value;
  if (query.trim() === "") return;
  const again = query === asked.value;
  if (!again) {
    sort.value = null;
    if (drawer.value?.kind === "row" || drawer.value?.kind === "act") drawer.value = null;
  }
  asked.value = query;
  selected.value = new Set();
  keep(!again || outcome.value.kind === "none");
  remember(query);
  await ask(null);
}

/** Put a text into the editor and ask it. */
export async function runText(query: string): Promise<void> {
  text.value = query;
  await run();
}

/** Show what the address says: at the start, and on back and forward. */
export async function show(): Promise<void> {
  cancel();
  const keeps = restore();
  const before = seen.get(entry.value);
  if (asked.value.trim() === "") outcome.value = { kind: "none" };
  else if (before && !following.value && before.query === asked.value && before.zone === zone.value) {
    outcome.value = { kind: "rows", result: before.result, more: false };
    select(keeps);
  } else await ask(keeps);
}

/** Ask the same question again, for example in another zone. */
export async function again(): Promise<void> {
  if (asked.value) await ask(null);
}

/** Keep the rows up to date from now on, or leave them as they are. */
export function setLive(on: boolean): void {
  following.value = on;
  keep();
  if (!on) leave();
  else void again();
}

/** Give up the question under way; the portal is told, so that nothing goes on computing. */
export function cancel(): void {
  drop();
  leave();
  if (outcome.value.kind === "asking") outcome.value = { kind: "none" };
}

function drop(): void {
  if (!under) return;
  under.abort.abort();
  void send(`/queries/${under.id}`, { method: "DELETE" }).catch(() => undefined); // it may have ended by itself
  under = null;
}

async function ask(reselect: Kept | null): Promise<void> {
  drop();
  leave();
  const [abort, id] = [new AbortController(), newId()];
  under = { abort, id };
  const query = asked.value;
  const since = performance.now();
  const waiting = setTimeout(() => (outcome.value = { kind: "asking", since }), PATIENCE);
  try {
    const found = following.value
      ? await follow(question(query), id, abort.signal)
      : await json<QueryResult>("/query", { body: { ...question(query), id }, signal: abort.signal });
    if (abort.signal.aborted) return;
    clearTimeout(waiting);
    outcome.value = { kind: "rows", result: found, more: false };
    if (sort.value && sort.value.column >= found.columns.length) sort.value = null;
    if (reselect) select(reselect);
    note(query, found);
  } catch (error) {
    if (isAbort(error)) return;
    const failure = asFailure(error);
    if (following.value && onlyLive(failure)) await askOnce(failure);
    else outcome.value = { kind: "failed", failure };
  } finally {
    clearTimeout(waiting);
    if (under?.id === id) under = null;
  }
}

/* The rows are shown all the same where they cannot be kept up. */
async function askOnce(failure: Failure): Promise<void> {
  following.value = false;
  await ask(null);
  ended(failure);
}

function question(query: string) {
  return { text: query, zone: zone.value, limit: PAGE, ...strictly() };
}

/* A row is taken for the one selected before only if it is about the same device. */
function select({ selected: rows, devices: uids }: Kept): void {
  const now = result.value;
  if (!now || rows.length === 0) return;
  const devices = now.devices;
  if (!devices || !uids) {
    if (!devices && !uids) selected.value = new Set(rows.filter((row) => row < now.rows.length));
    return;
  }
  const first = new Map<string, number>();
  devices.forEach((device, row) => device && !first.has(device.uid) && first.set(device.uid, row));
  const found = rows.map((row, index) => {
    const uid = uids[index] ?? "";
    return devices[row]?.uid === uid ? row : first.get(uid);
  });
  selected.value = new Set(found.filter((row) => row !== undefined));
}

function note(query: string, found: QueryResult): void {
  seen.delete(entry.value);
  seen.set(entry.value, { query, zone: zone.value, result: found });
  const oldest = seen.keys().next().value;
  if (seen.size > MOST_SEEN && oldest !== undefined) seen.delete(oldest);
}

/** Fetch the next rows of a truncated result and put them below. */
export async function more(): Promise<void> {
  const now = outcome.value;
  if (now.kind !== "rows" || now.more || !now.result.truncated) return;
  outcome.value = { ...now, more: true };
  try {
    const next = await json<QueryResult>("/query", { body: { ...question(asked.value), offset: now.result.rows.length } });
    if (outcome.value.kind !== "rows" || outcome.value.result !== now.result) return;
    const joined = {
      ...now.result,
      rows: [...now.result.rows, ...next.rows],
      devices: now.result.devices && next.devices ? [...now.result.devices, ...next.devices] : now.result.devices,
      row_count: now.result.rows.length + next.rows.length,
      truncated: next.truncated,
    };
    outcome.value = { kind: "rows", result: joined, more: false };
    note(asked.value, joined);
  } catch (error) {
    outcome.value = now;
    say(asFailure(error).message, { bad: true });
  }
}
