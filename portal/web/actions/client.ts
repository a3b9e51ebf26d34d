/**
 * Remote actions and their runs, as the console asks for them.
 *
 * Invariant: pages never see the envelopes of the answers, nor how an id is written into a path.
 */
import { json } from "../api/client";
import type { Action, ActionOutput, DeviceRef, Execution, Plan, Preview, Run, Target } from "../api/wire";

const UID_END = 6;

/** Every action that this account may start by hand. */
export async function actions(): Promise<Action[]> {
  const { actions: found } = await json<{ actions: Action[] }>("/actions");
  const byHand = ({ triggers }: Action) => !triggers || triggers.length === 0 || triggers.includes("manual");
  return found.filter((action) => action.may_run !== false && byHand(action));
}

/** One action with its script, inputs and outputs. */
export async function action(nqlId: string): Promise<Action> {
  const { action: found } = await json<{ action: Action }>(`/actions/${encodeURIComponent(nqlId)}`);
  return found;
}

/** How many devices a target holds, with a few of their names. */
export function preview(target: Target, signal: AbortSignal): Promise<Preview> {
  return json<Preview>("/runs/preview", { body: { target }, signal });
}

/** Go on with a halted run. */
export async function resumeRun(id: string): Promise<Run> {
  const { run } = await json<{ run: Run }>(`/runs/${encodeURIComponent(id)}/resume`, { body: {} });
  return run;
}

export interface Request {
  action: string;
  parameters: Record<string, string>;
  target: Target;
  expires_in: number;
  plan: Plan;
  allow_draft: boolean;
  reason?: string;
  idempotency_key: string;
}

/** Start a run; sending the same idempotency key again starts nothing new. */
export async function start(request: Request): Promise<Run> {
  const { run } = await json<{ run: Run }>("/runs", { body: request });
  return run;
}

/** The newest runs first. */
export async function runs(limit: number): Promise<Run[]> {
  const { runs: found } = await json<{ runs: Run[] }>(`/runs?limit=${limit}`);
  return found;
}

/** One run with its counts. */
export async function run(id: string): Promise<Run> {
  const { run: found } = await json<{ run: Run }>(`/runs/${encodeURIComponent(id)}`);
  return found;
}

/** Ask to cancel a run: what waits is cancelled at once, what runs is asked to stop. */
export function cancelRun(id: string): Promise<{ cancelled: number; asked: number }> {
  return json(`/runs/${encodeURIComponent(id)}/cancel`, { body: {} });
}

/** Executions of a run, one a device. */
export async function executions(id: string, limit: number, offset: number): Promise<Execution[]> {
  const path = `/runs/${encodeURIComponent(id)}/executions?limit=${limit}&offset=${offset}`;
  const { executions: found } = await json<{ executions: Execution[] }>(path);
  return found;
}

/** The NQL id of a run's action, with its `#`. */
export function idOf(run: Run): string {
  return run.action.startsWith("#") ? run.action : `#${run.action}`;
}

/** The first digits of a version, enough to tell versions apart by eye. */
export function shortVersion(version: Action["version"]): string {
  return (version ?? "").replace(/^sha256:/, "").slice(0, 8);
}

/** The name of each device by its uid; with the end of the uid where another one has the same name. */
export function deviceNames(devices: readonly DeviceRef[]): Map<string, { name: string; end: string }> {
  const often = new Map<string, number>();
  for (const { uid, name } of devices) often.set(name ?? uid, (often.get(name ?? uid) ?? 0) + 1);
  return new Map(
    devices.map(({ uid, name }) => [uid, { name: name ?? uid, end: (often.get(name ?? uid) ?? 0) > 1 ? uid.slice(-UID_END) : "" }]),
  );
}

/** The query that reads a run's results back. */
export function resultsQuery(nqlId: string, outputs: readonly ActionOutput[]): string {
  const fields = ["device.name", "status", ...outputs.map(({ name }) => `outputs.${name}`)];
  if (outputs.length === 0) fields.push("status_details");
  return `remote_action.${nqlId}.executions during past 2h\n| list ${fields.join(", ")}`;
}
