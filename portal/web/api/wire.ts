/**
 * The shapes of the portal's own HTTP API as they travel: what the console reads and sends, nothing more.
 *
 * Invariant: types only, no behaviour. Character positions count Unicode characters, as the portal does; editor/spans.ts
 * turns them into positions of the browser's strings.
 */

export interface Span {
  start: number;
  end: number;
}

export interface Fix {
  title: string;
  span: Span;
  replacement: string;
}

export interface Diagnostic {
  code: string;
  severity: "error" | "warning";
  message: string;
  hint: string;
  span: Span;
  fixes: Fix[];
}

export interface ErrorBody {
  error: { code: string; message: string; hint?: string; diagnostics?: Diagnostic[] };
}

export interface Account {
  name: string;
  zone: string;
  permissions: string[];
}

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };

export interface Column {
  name: string;
  label: string;
  type: string;
  unit: string | null;
  format: { name: string; code: string | null } | null;
  members: string[];
}

export interface DeviceRef {
  uid: string;
  name: string | null;
  simulated: boolean | null;
}

export interface Window {
  start: string;
  end: string;
  precision: "day" | "clock";
  zone: string;
  text: string;
}

/** What a query reads; null for who does not see the whole estate. */
export interface Cost {
  rows: number | null;
  bytes: number | null;
  where: "portal" | "worker" | "kept" | null;
}

export interface QueryResult {
  id: string;
  cost: Cost;
  columns: Column[];
  rows: Value[][];
  devices: (DeviceRef | null)[] | null;
  row_count: number;
  truncated: boolean;
  window: Window | null;
  complete_until: string | null;
  now: string;
  zone: string;
  warnings: Diagnostic[];
  elapsed_ms: number | null;
}

export interface CompletionItem {
  label: string;
  kind: string;
  detail: string;
  doc: string;
  insert: string;
  ours: boolean;
}

export interface Completion {
  span: Span;
  items: CompletionItem[];
}

export interface Hover {
  span: Span;
  title: string;
  detail: string;
  doc: string;
}

export interface Explanation {
  sentences: string[];
  plan: string;
}

export interface ActionInput {
  name: string;
  label?: string;
  description?: string;
  allowed?: string[];
  custom?: boolean;
  default?: string | null;
}

export interface ActionOutput {
  name: string;
  label?: string;
  type: string;
  description?: string;
}

export interface Action {
  nql_id: string;
  name: string;
  description?: string;
  purpose?: string[];
  triggers?: string[];
  may_run?: boolean;
  scripts?: Record<string, { language: string; text: string }>;
  timeout?: number;
  run_as?: string;
  inputs?: ActionInput[];
  outputs?: ActionOutput[];
  version?: string;
  number?: number;
  platforms?: string[];
  draft?: boolean;
  signed_by?: string[];
}

export type Day = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

/** How a run goes about its devices; what is absent is not asked for. Lengths of time are seconds. */
export interface Plan {
  mode?: "frozen" | "follow";
  waves?: string[];
  soak?: number;
  gate?: string;
  limits?: { devices?: number; preview?: number; growth?: number };
  retries?: { attempts: number; backoff: number };
  once_every?: number;
  window?: { days: Day[]; from: string; to: string; zone: string };
}

export type Target = { devices: string[] } | { nql: string };

export interface Preview {
  count: number;
  sample: DeviceRef[];
  platforms?: Record<string, number>;
  claimed?: string[];
}

export type Counts = Record<string, number>;

export interface Run {
  id: string;
  action: string;
  version?: string;
  parameters?: Record<string, string>;
  target?: { kind: string; text?: string | null; count?: number; digest?: string };
  requested_by?: string;
  requested_at?: string;
  expires_at?: string;
  reason?: string | null;
  counts: Counts;
  held?: number;
  complete: boolean;
  state?: "running" | "halted" | "ended";
  state_detail?: string | null;
  skipped?: number;
  plan?: Plan;
  trigger?: string;
  wave?: number;
  opens_at?: string | null;
  waves?: { number: number; size: string; counts: Counts; held: number; released: boolean }[];
  next_at?: string | null;
}

export interface Execution {
  device: DeviceRef;
  state: string;
  detail: string | null;
  attempt: number;
  wave?: number;
  waits_for?: "wave" | "run" | "window" | "attempt" | null;
  begins_at?: string | null;
  duration: number | null;
  started_at: string | null;
  finished_at: string | null;
  exit_code: number | null;
  outputs: Record<string, Value> | null;
  error: string | null;
}
