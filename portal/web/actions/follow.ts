/**
 * Follows one run live: its counts and its executions, by server-sent events, and by asking again where those fail.
 *
 * Goes out: signals that components draw. Invariant: events are applied at most once a frame, so that a run over thousands
 * of devices does not stall the page; closing stops every connection and timer.
 */
import { batch, type Signal, signal } from "@preact/signals";
import { asFailure, eventsUrl, type Failure, isAbort } from "../api/client";
import type { Execution, Run } from "../api/wire";
import { executions as fetchExecutions, run as fetchRun } from "./client";

const PAGE = 500;
const MOST = 5_000;
const POLL = 2_000;

export class Follow {
  readonly run: Signal<Run | null> = signal(null);
  readonly rows: Signal<ReadonlyMap<string, Execution>> = signal(new Map());
  readonly failure: Signal<Failure | null> = signal(null);
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private frame = 0;
  private closed = false;
  private waiting: Execution[] = [];

  constructor(readonly id: string) {}

  /** Read what is known, then listen for what changes. */
  async start(): Promise<void> {
    await this.read();
    if (!this.closed && !this.run.value?.complete) this.listen();
  }

  close(): void {
    this.closed = true;
    this.source?.close();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
  }

  private async read(): Promise<void> {
    try {
      const run = await fetchRun(this.id);
      const rows = new Map<string, Execution>();
      for (let offset = 0; offset < MOST; offset += PAGE) {
        const page = await fetchExecutions(this.id, PAGE, offset);
        for (const one of page) rows.set(one.device.uid, one);
        if (page.length < PAGE) break;
      }
      if (this.closed) return;
      batch(() => {
        this.run.value = run;
        this.rows.value = rows;
        this.failure.value = null;
      });
    } catch (error) {
      if (!this.closed && !isAbort(error)) this.failure.value = asFailure(error);
    }
  }

  private listen(): void {
    const source = new EventSource(eventsUrl(`/runs/${encodeURIComponent(this.id)}/events`));
    this.source = source;
    /* read again once connected, and after every cut: what changed meanwhile was not sent */
    source.addEventListener("open", () => void this.read());
    source.addEventListener("execution", (event) => this.take(parsed<Execution>(event)));
    source.addEventListener("run", (event) => this.count(parsed<Partial<Run> & { run?: Run }>(event)));
    source.addEventListener("done", () => {
      source.close();
      void this.read();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.poll();
    });
  }

  private poll(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      void this.read().then(() => {
        if (!this.closed && !this.run.value?.complete) this.poll();
      });
    }, POLL);
  }

  private count(change: (Partial<Run> & { run?: Run }) | null): void {
    const now = this.run.value;
    if (!change || !now) return;
    const next = { ...now, ...(change.run ?? change) };
    this.run.value = next;
    /* a wave that is released, or a halt, changes for what devices wait, and no execution is told of it */
    if (next.wave !== now.wave || next.state !== now.state) void this.read();
  }

  private take(execution: Execution | null): void {
    if (!execution) return;
    this.waiting.push(execution);
    if (this.waiting.length > 1) return;
    this.frame = requestAnimationFrame(() => {
      const next = new Map(this.rows.value);
      for (const one of this.waiting) next.set(one.device.uid, { ...next.get(one.device.uid), ...one });
      this.waiting = [];
      this.rows.value = next;
    });
  }
}

function parsed<T>(event: Event): T | null {
  try {
    return JSON.parse((event as MessageEvent<string>).data) as T;
  } catch {
    return null;
  }
}
