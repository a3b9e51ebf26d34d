/**
 * Widths of result columns: fitted to what they hold, and as the person last set them.
 *
 * Invariant: a width set by hand is kept, by column name, for as long as the page lives.
 */
import { signal } from "@preact/signals";
import type { QueryResult } from "../api/wire";
import { isState, namesDevice, shown } from "../values/cell";

const LETTER = 6.9;
const PADDING = 26;
const BADGE = 88;
const CHIP = 40;
const NARROWEST = 64;
const WIDEST = 380;
const SAMPLE = 200;

export const setWidths = signal<ReadonlyMap<string, number>>(new Map());

/** The width that shows a column's header and nearly all of its values. */
export function fitted(result: QueryResult, index: number, zone: string): number {
  const column = result.columns[index];
  if (!column) return NARROWEST;
  const lengths = result.rows.slice(0, SAMPLE).map((row) => extent(shown(row[index] ?? null, column, zone).length));
  const simulated = namesDevice(column) && (result.devices?.some((device) => device?.simulated) ?? false);
  let widest = Math.max(0, ...lengths);
  if (isState(column)) widest += CHIP;
  if (simulated) widest += BADGE;
  const header = extent(column.label.length) + 18;
  return Math.round(Math.min(WIDEST, Math.max(NARROWEST, widest, header)));
}

function extent(letters: number): number {
  return letters * LETTER + PADDING;
}

/** Every column's width now. */
export function widths(result: QueryResult, zone: string): number[] {
  return result.columns.map((column, index) => setWidths.value.get(column.name) ?? fitted(result, index, zone));
}

/** Set one column's width, or give it back to fitting. */
export function resize(name: string, width: number | null): void {
  const next = new Map(setWidths.value);
  if (width === null) next.delete(name);
  else next.set(name, width);
  setWidths.value = next;
}
