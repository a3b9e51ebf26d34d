/**
 * How a run shall go about its devices, as it is typed in the form, and as the portal takes it.
 *
 * Comes in: texts and choices. Goes out: a plan, what is wrong at which field, and a short summary. Invariant: what was not
 * touched is not in the plan; bounds are the portal's matter, and here only what a person can be told before asking it.
 */
import type { Day, Plan } from "../api/wire";
import { duration, plural } from "../values/text";

export const DAYS: readonly Day[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
export const DAY_SECONDS = 86_400;
export const GROWTH = 10; // percent that a query may have grown since the preview, where nothing else is said

/** What lists the devices on which the run failed so far: the gate that most runs want. */
export const FAILED = "remote_action.executions during past 30d\n| where request_id == $run and status == failure\n| list device.name";

export interface Draft {
  expiry: number;
  waves: string;
  soak: number;
  gate: string;
  attempts: number;
  backoff: number;
  onceEvery: number;
  most: string;
  follow: boolean;
  window: { days: readonly Day[]; from: string; to: string; zone: string } | null;
}

export type FieldName = "waves" | "gate" | "window" | "most" | "expiry";
export type Problems = Partial<Record<FieldName, string>>;

/** A run that begins at once, everywhere, once. */
export const AT_ONCE: Draft = {
  expiry: 3_600,
  waves: "",
  soak: 0,
  gate: "",
  attempts: 1,
  backoff: 60,
  onceEvery: 0,
  most: "",
  follow: false,
  window: null,
};

/** A window as it is offered first: nights of working days. */
export function nights(zone: string): NonNullable<Draft["window"]> {
  return { days: ["mon", "tue", "wed", "thu", "fri"], from: "22:00", to: "06:00", zone };
}

/** The sizes of waves in a text such as `1, 5 %, 100 %`, as the portal writes them. */
export function sizes(text: string): string[] {
  return text
    .split(/[,;]/)
    .map((part) => part.trim().replace(/\s+%$/, "%"))
    .filter((part, index, all) => part !== "" || all.length > index + 1);
}

/** How many devices may have begun after each wave, of so many. */
export function reaches(waves: readonly string[], count: number): number[] {
  let before = 0;
  return waves.map((size) => {
    const part = size.endsWith("%") ? Math.ceil((count * Math.round(Number.parseFloat(size) * 100)) / 10_000) : Number(size);
    before = Math.max(before, Math.min(part, count));
    return before;
  });
}

/** Every problem of a draft for a target of so many devices, at its field. */
export function problems(draft: Draft, count: number): Problems {
  const found: Problems = {};
  const put = (name: FieldName, text: string) => text && (found[name] ??= text);
  put("waves", wavesProblem(draft.waves));
  const pauses = (sizes(draft.waves).length - 1) * draft.soak;
  if (!found.waves && draft.waves.trim() && pauses >= draft.expiry) {
    put("expiry", `The pauses between the waves alone take ${duration(pauses)}: give the run more time.`);
  }
  const most = draft.most.trim();
  if (most && !/^[1-9]\d{0,4}$/.test(most)) put("most", "A whole number from 1 to 10,000.");
  else if (most && count > Number(most)) put("most", `The target has ${plural(count, "device")} now: raise the number, or narrow the target.`);
  if (draft.window) put("window", windowProblem(draft.window));
  return found;
}

function wavesProblem(text: string): string {
  const waves = sizes(text);
  if (waves.length === 0) return "";
  const wrong = waves.find((size) => !/^([1-9]\d{0,4}|\d{1,3}(\.\d{1,2})?%)$/.test(size));
  if (wrong !== undefined) return `“${wrong}” is no wave: write a number of devices, or a share such as 5 %.`;
  if (waves.at(-1) !== "100%") return "Waves count up to all devices: end with 100 %.";
  const shares = waves.filter((size) => size.endsWith("%")).map(Number.parseFloat);
  const counts = waves.filter((size) => !size.endsWith("%")).map(Number);
  if (shares.some((share) => share <= 0 || share > 100)) return "A share is above 0 % and at most 100 %.";
  if ([shares, counts].some((all) => all.some((size, index) => index > 0 && size <= (all[index - 1] ?? 0)))) {
    return "Waves count up: each is larger than the one before.";
  }
  return waves.length > 20 ? "A run has at most 20 waves." : "";
}

function windowProblem({ days, from, to }: NonNullable<Draft["window"]>): string {
  if (days.length === 0) return "Choose at least one day.";
  const wrong = [from, to].find((time) => !/^([01]\d|2[0-3]):[0-5]\d$/.test(padded(time)));
  return wrong === undefined ? "" : `“${wrong}” is no time of day: write 22:00.`;
}

/** A time of day as the portal takes it: `6:00` is `06:00`. */
export function padded(time: string): string {
  return time.trim().padStart(5, "0");
}

/** The plan as the portal takes it; `preview` is the count that was seen of a query, null where devices are listed. */
export function planOf(draft: Draft, preview: number | null): Plan {
  const plan: Plan = {};
  const waves = sizes(draft.waves);
  if (waves.length > 0) plan.waves = waves;
  if (waves.length > 1 && draft.soak > 0) plan.soak = draft.soak;
  if (waves.length > 1 && draft.gate.trim()) plan.gate = draft.gate.trim();
  if (draft.attempts > 1) plan.retries = { attempts: draft.attempts, backoff: draft.backoff };
  if (draft.onceEvery > 0) plan.once_every = draft.onceEvery;
  if (draft.window) {
    const { days, from, to, zone } = draft.window;
    plan.window = { days: DAYS.filter((day) => days.includes(day)), from: padded(from), to: padded(to), zone };
  }
  const follows = draft.follow && preview !== null;
  if (follows) plan.mode = "follow";
  if (draft.most.trim()) plan.limits = { devices: Number(draft.most) };
  else if (preview !== null && !follows) plan.limits = { preview, growth: GROWTH };
  return plan;
}

/** What of the options is in use, in a few words; empty for none. */
export function summary(draft: Draft): string {
  const waves = sizes(draft.waves).length;
  return [
    waves > 0 && plural(waves, "wave"),
    waves > 1 && draft.gate.trim() && "gate",
    draft.window && "window",
    draft.attempts > 1 && plural(draft.attempts - 1, "retry", "retries"),
    draft.onceEvery > 0 && `once every ${duration(draft.onceEvery)}`,
    draft.most.trim() && `at most ${plural(Number(draft.most), "device")}`,
    draft.follow && "follows the query",
  ]
    .filter(Boolean)
    .join(", ");
}

/** A window as one line: `mon, tue 22:00–06:00, Europe/Zurich`. */
export function windowText({ days, from, to, zone }: NonNullable<Plan["window"]>): string {
  const first = DAYS.indexOf(days[0] ?? "mon");
  const inRow = days.length > 2 && days.every((day, index) => DAYS.indexOf(day) === first + index);
  const said = days.length === 7 ? "every day" : inRow ? `${days[0]}–${days.at(-1)}` : days.join(", ");
  return `${said} ${from}–${to}, ${zone}`;
}
