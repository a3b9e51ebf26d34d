/**
 * Numbers as people read them: sizes, lengths of time, shares, rates, money, and the exact value beside each.
 *
 * Comes in: a number with the type, unit and display format of its column. Goes out: short text for a cell and exact text
 * for hover, details and copying. Invariant: never rounds what is exact in `exact`. Times of day are times.ts's matter.
 */
import type { Column } from "../api/wire";

const GROUPED = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const FRACTION = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const SHORT = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3, useGrouping: false });
const EXACT = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 20 });

const SIZES = ["B", "KB", "MB", "GB", "TB", "PB"] as const;
const SECONDS: Record<string, number> = { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, d: 86400 };
const SCALES: Record<string, readonly string[]> = {
  energy: ["Wh", "kWh", "MWh", "GWh"],
  weight: ["g", "kg", "t", "kt"],
  bitrate: ["bps", "Kbps", "Mbps", "Gbps"],
};
const SIGNS: Record<string, string> = { usd: "$", eur: "€", gbp: "£", cad: "CA$", chf: "CHF " };

type Measured = Pick<Column, "type" | "unit" | "format">;

/** A count or quantity: whole numbers grouped, others with at most two decimals (three digits when small). */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return GROUPED.format(value);
  return Math.abs(value) < 1 ? SHORT.format(value) : FRACTION.format(value);
}

/** A size in the largest unit that keeps it at one or above: `611.3 GB`. */
export function bytes(value: number): string {
  return scaled(value, 1024, SIZES);
}

/** A length of time, given in seconds, by its two largest parts: `34min 20s`, `508.2 ms`. */
export function duration(seconds: number): string {
  const sign = seconds < 0 ? "-" : "";
  const length = Math.abs(seconds);
  if (length === 0) return "0 s";
  if (length < 1e-3) return `${sign}${SHORT.format(length * 1e6)} µs`;
  if (length < 1) return `${sign}${SHORT.format(length * 1e3)} ms`;
  if (length < 60) return `${sign}${SHORT.format(length)} s`;
  const whole = Math.round(length);
  const [large, small] = parts(whole);
  return sign + (small ? `${large} ${small}` : large);
}

function parts(seconds: number): [string, string] {
  const of = (a: number, au: string, b: number, bu: string): [string, string] => [`${a}${au}`, b ? `${b}${bu}` : ""];
  if (seconds < 3600) return of(Math.floor(seconds / 60), "min", seconds % 60, "s");
  if (seconds < 86400) return of(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min");
  return of(Math.floor(seconds / 86400), "d", Math.floor((seconds % 86400) / 3600), "h");
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let power = 0;
  let rest = Math.abs(value);
  while (rest >= step && power < units.length - 1) {
    rest /= step;
    power += 1;
  }
  const digits = power === 0 ? FRACTION.format(rest) : rest.toFixed(rest < 1000 ? 1 : 0).replace(/\.0$/, "");
  return `${value < 0 ? "-" : ""}${digits} ${units[power] ?? ""}`;
}

/** The number in seconds, from the unit of its column. */
export function seconds(value: number, unit: string | null): number {
  return value * (SECONDS[unit ?? "s"] ?? 1);
}

/** A number as its column wants to be read. */
export function quantity(value: number, column: Measured): string {
  if (column.format) return formatted(value, column.format);
  switch (column.type) {
    case "bytes":
      return bytes(value);
    case "duration":
      return duration(seconds(value, column.unit));
    case "percentage":
      return `${FRACTION.format(value)} %`;
    default:
      return number(value);
  }
}

function formatted(value: number, format: { name: string; code: string | null }): string {
  if (format.name === "percent") return `${FRACTION.format(value * 100)} %`;
  if (format.name === "currency") {
    const code = (format.code ?? "").toLowerCase();
    return `${SIGNS[code] ?? ""}${FRACTION.format(value)}`;
  }
  const units = SCALES[format.name];
  return units ? scaled(value, 1000, units) : number(value);
}

/** The exact number with its unit. */
export function exact(value: number, column: Measured): string {
  const digits = EXACT.format(value);
  switch (column.type) {
    case "bytes":
      return `${digits} bytes`;
    case "duration":
      return `${digits} ${column.unit ?? "s"}`;
    case "percentage":
      return `${digits} %`;
    default:
      return digits;
  }
}

/** `1 row`, `1,204 rows`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${GROUPED.format(count)} ${count === 1 ? one : many}`;
}
