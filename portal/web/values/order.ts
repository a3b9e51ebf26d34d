/**
 * The order of a result's rows by one of its columns.
 *
 * Comes in: rows, a column, a direction. Goes out: row numbers in order (a permutation), because the rows themselves stay
 * as the portal sent them. Invariants: the order is stable, and null comes last whichever the direction. Keys are made
 * once a column, so that 100,000 rows sort well within 200 ms.
 */
import type { Column, Value } from "../api/wire";

export interface Sort {
  column: number;
  descending: boolean;
}

const NUMERIC = new Set(["int", "float", "percentage", "duration", "bytes"]);

/** Row numbers in the order of a sort; as they came without one. */
export function permutation(rows: readonly Value[][], columns: readonly Column[], sort: Sort | null): Uint32Array {
  const order = Uint32Array.from({ length: rows.length }, (_, index) => index);
  const column = sort ? columns[sort.column] : undefined;
  if (!sort || !column) return order;
  const sign = sort.descending ? -1 : 1;
  const values = rows.map((row) => row[sort.column] ?? null);
  return NUMERIC.has(column.type) || column.type === "datetime" || column.type === "boolean"
    ? byNumber(order, values, column.type, sign)
    : byText(order, values, column.type, sign);
}

function byNumber(order: Uint32Array, values: Value[], type: string, sign: number): Uint32Array {
  const keys = Float64Array.from(values, (value) => {
    if (value === null) return Number.NaN;
    return type === "datetime" ? Date.parse(String(value)) : Number(value);
  });
  return order.sort((a, b) => {
    const x = keys[a] ?? Number.NaN;
    const y = keys[b] ?? Number.NaN;
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    return (x - y) * sign || a - b;
  });
}

function byText(order: Uint32Array, values: Value[], type: string, sign: number): Uint32Array {
  const keys = values.map((value) => (value === null ? null : textKey(value, type)));
  return order.sort((a, b) => {
    const x = keys[a] ?? null;
    const y = keys[b] ?? null;
    if (x === null || y === null) return Number(x === null) - Number(y === null) || a - b;
    return (x < y ? -sign : x > y ? sign : 0) || a - b;
  });
}

function textKey(value: Value, type: string): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (type === "version" || type === "ip_address") return text.replace(/\d+/g, (digits) => digits.padStart(12, "0"));
  return text.toLowerCase();
}
