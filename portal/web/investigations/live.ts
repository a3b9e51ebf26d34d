/**
 * Live: the rows of the query that was asked are kept up to date by the portal, over broken connections and its restarts.
 *
 * Goes out: `live`, how it stands; `marks`, what the last change changed. Invariants: one query is followed at a time;
 * nothing is followed while nobody looks at the tab; rows do not change under an open run form, whose devices they are;
 * selection and open row stay with their rows wherever these move.
 */
import { batch, effect, signal } from "@preact/signals";
import { asFailure, Failure, isAbort, send } from "../api/client";
import { events } from "../api/stream";
import type { ErrorBody, QueryResult } from "../api/wire";
import { compared, type Change } from "./live_rows";
import { drawer, following, keepSoon, outcome, result, selected } from "./state";

export type Phase = "off" | "following" | "late" | "lost" | "paused" | "ended";

/** How it stands: since when (ISO), as of when, how many changes were seen, and what is in its way. */
export interface Standing {
  phase: Phase;
  since: string;
  at: string;
  changes: number;
  why: string;
}

const OFF: Standing = { phase: "off", since: "", at: "", changes: 0, why: "" };
const PAUSES = [1_000, 2_000, 4_000, 8_000, 15_000];
const LATER = new Set([0, 429, 502, 503, 504]);

export const live = signal<Standing>(OFF);
export const marks = signal<Change["marks"]>(new Map());

let current: Following | null = null;
let held: QueryResult | null = null;

/** Follow a query; resolves to its first answer. Rejects with what speaks against it, or when `stop` gives up. */
export async function follow(body: object, id: string, stop: AbortSignal): Promise<QueryResult> {
  leave();
  const made = new Following(body);
  stop.addEventListener("abort", () => made.close());
  current = made;
  try {
    const first = await made.begin(id);
    live.value = { ...OFF, phase: "following", since: first.now, at: first.now };
    return first;
  } catch (error) {
    if (current === made) leave();
    throw error;
  }
}

/** Follow nothing any more. */
export function leave(): void {
  current?.close();
  current = null;
  held = null;
  live.value = OFF;
  marks.value = new Map();
}

/** Whether a failure is about following alone, so that the query may be asked once all the same. */
export function onlyLive(failure: Failure): boolean {
  return failure.code === "too_many_live" || failure.code === "live_too_large";
}

/** Say that it has ended, and why. */
export function ended(failure: Failure): void {
  leave();
  following.value = false;
  keepSoon();
  live.value = { ...OFF, phase: "ended", why: [failure.message, failure.hint].filter(Boolean).join(" ") };
}

class Following {
  private connection: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  private closed = false;

  constructor(private readonly body: object) {
    document.addEventListener("visibilitychange", this.looked);
  }

  /** Open the first connection, and wait for the answer. */
  async begin(id: string): Promise<QueryResult> {
    const told = await this.open(id);
    for (;;) {
      const next = await told.next();
      if (this.closed) throw new DOMException("closed", "AbortError");
      if (next.done) throw new Failure(0, "unreachable", "The connection broke.", "Try again.");
      if (next.value.name === "ended") throw failureOf(next.value.data);
      if (next.value.name !== "answer") continue;
      void this.hear(told);
      return next.value.data as QueryResult;
    }
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.connection?.abort();
    document.removeEventListener("visibilitychange", this.looked);
  }

  private async open(id: string) {
    const connection = new AbortController();
    this.connection = connection;
    const ask = { body: { ...this.body, id }, accept: "text/event-stream", signal: connection.signal };
    return events(await send("/query/live", ask));
  }

  private async hear(told: ReturnType<typeof events>): Promise<void> {
    const mine = this.connection;
    try {
      for await (const { name, data } of told) {
        if (this.closed || this.connection !== mine) return;
        this.tries = 0;
        if (name === "answer") take(data as QueryResult);
        else if (name === "same") stand({ phase: "following", at: (data as { now: string }).now, why: "" });
        else if (name === "late") stand({ phase: "late", why: failureOf(data).message });
        else if (name === "ended") throw failureOf(data);
      }
      throw new Failure(0, "unreachable", "The connection broke.");
    } catch (error) {
      this.failed(error, mine);
    }
  }

  private async again(): Promise<void> {
    if (this.closed || document.hidden) return;
    try {
      const told = await this.open(newId());
      void this.hear(told);
    } catch (error) {
      this.failed(error, this.connection);
    }
  }

  private failed(error: unknown, connection: AbortController | null): void {
    if (this.closed || isAbort(error) || this.connection !== connection) return;
    const failure = error instanceof TypeError ? new Failure(0, "unreachable", "The connection broke.") : asFailure(error);
    if (!LATER.has(failure.status)) return ended(failure);
    stand({ phase: "lost", why: failure.message });
    this.timer = setTimeout(() => void this.again(), PAUSES[Math.min(this.tries++, PAUSES.length - 1)]);
  }

  private looked = (): void => {
    clearTimeout(this.timer);
    if (document.hidden) {
      this.connection?.abort();
      if (live.value.phase !== "off") stand({ phase: "paused", why: "" });
    } else if (live.value.phase !== "off") {
      this.tries = 0;
      void this.again();
    }
  };
}

/** A name under which the portal knows a question while it runs; `crypto.randomUUID` is for secure addresses alone. */
export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function stand(change: Partial<Standing>): void {
  live.value = { ...live.value, ...change };
}

/* What the portal tells of an error; one that may pass is as good as a broken connection. */
function failureOf(data: unknown): Failure {
  const said = ((data as Partial<ErrorBody>).error ?? data) as ErrorBody["error"];
  const passing = said.code === "stopping" || said.code === "busy";
  return new Failure(passing ? 503 : 409, said.code, said.message, said.hint ?? "", said.diagnostics ?? []);
}

function take(next: QueryResult): void {
  if (drawer.peek()?.kind === "act") {
    held = next;
    return;
  }
  held = null;
  const before = result.peek();
  if (!before) return;
  const change = compared(before, next);
  const open = drawer.peek();
  const same = change.marks.size === 0 && change.moved.size === before.rows.length;
  batch(() => {
    outcome.value = { kind: "rows", result: next, more: false };
    selected.value = new Set([...selected.peek()].map((row) => change.moved.get(row)).filter((row) => row !== undefined));
    if (open?.kind === "row") {
      const row = change.moved.get(open.row);
      drawer.value = row === undefined ? null : { kind: "row", row };
    }
    if (!same) marks.value = change.marks;
    stand({ phase: "following", at: next.now, why: "", changes: live.peek().changes + (same ? 0 : 1) });
  });
  keepSoon();
}

effect(() => {
  if (drawer.value?.kind !== "act" && held) take(held);
});
