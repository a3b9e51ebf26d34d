/**
 * Two answers to one query compared: which row became which, and what is new or another value.
 *
 * Invariant: rows are taken for the same by the device they are about where each device has one, else by their texts, else
 * by all of their values; those that cannot be told apart keep their order.
 */
import type { Column, QueryResult, Value } from "../api/wire";

const NUMBERS = new Set(["int", "float", "percentage", "duration", "bytes"]);

export interface Change {
  /** the new number of each row of before that is still there */
  moved: ReadonlyMap<number, number>;
  /** for each new or changed row its changed columns; null for a row that is new */
  marks: ReadonlyMap<number, ReadonlySet<number> | null>;
}

/** What has become of the rows of an answer. */
export function compared(before: QueryResult, after: QueryResult): Change {
  const [old, now] = keys(before, after);
  const known = new Map(old.map((key, row) => [key, row]));
  const moved = new Map<number, number>();
  const marks = new Map<number, ReadonlySet<number> | null>();
  now.forEach((key, row) => {
    const was = known.get(key);
    if (was === undefined) {
      marks.set(row, null);
      return;
    }
    moved.set(was, row);
    const columns = differing(before.rows[was] ?? [], after.rows[row] ?? []);
    if (columns.size > 0) marks.set(row, columns);
  });
  return { moved, marks };
}

function differing(before: Value[], after: Value[]): Set<number> {
  const found = new Set<number>();
  after.forEach((value, column) => {
    if (!same(value, before[column] ?? null)) found.add(column);
  });
  return found;
}

function same(one: Value, other: Value): boolean {
  return one === other || (typeof one === "object" && JSON.stringify(one) === JSON.stringify(other));
}

type Naming = (result: QueryResult, row: number) => string;

/* The first way of naming rows by which all of each answer are told apart. */
function keys(before: QueryResult, after: QueryResult): [string[], string[]] {
  const texts = (wanted: (column: Column) => boolean): Naming => {
    const places = after.columns.flatMap((column, index) => (wanted(column) ? [index] : []));
    return (result, row) => JSON.stringify(places.map((index) => result.rows[row]?.[index] ?? null));
  };
  const device: Naming = (result, row) => result.devices?.[row]?.uid ?? "";
  const whole = texts(() => true);
  const ways = [
    ...(before.devices && after.devices ? [device] : []),
    texts((column) => !NUMBERS.has(column.type) && column.type !== "datetime"),
    texts((column) => !NUMBERS.has(column.type)),
    whole,
  ];
  const named = (way: Naming, result: QueryResult) => result.rows.map((_, row) => way(result, row));
  for (const way of ways) {
    const found: [string[], string[]] = [named(way, before), named(way, after)];
    if (found.every((list) => new Set(list).size === list.length)) return found;
  }
  return [numbered(named(whole, before)), numbered(named(whole, after))];
}

function numbered(names: string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return `${count} ${name}`;
  });
}
