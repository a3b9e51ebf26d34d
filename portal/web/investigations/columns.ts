/**
 * Widths of result columns: fitted to what they hold, and as the person last set them.
 *
 * Invariant: a width set by hand is kept, by column name, for as long as the page lives.
 */
import { signal } from "@preact/signals";
import type { QueryResult } from "../api/wire";
import { isState, namesDevice, shown } from "../values/cell";
import { following } from "./state";

const PADDING = 28;
const BADGE = 88;
const CHIP = 20;
const MARK = 18;
const DOT = 12; // of a value that a refresh changed
const CANDIDATES = 60;
const NARROWEST = 64;
const WIDEST = 380;
const SAMPLE = 200;

export const setWidths = signal<ReadonlyMap<string, number>>(new Map());

/** The width that shows a column's header and nearly all of its values. */
export function fitted(result: QueryResult, index: number, zone: string): number {
  const column = result.columns[index];
  if (!column) return NARROWEST;
  const texts = result.rows.slice(0, SAMPLE).map((row) => shown(row[index] ?? null, column, zone));
  const simulated = namesDevice(column) && (result.devices?.some((device) => device?.simulated) ?? false);
  const longest = texts.sort((a, b) => b.length - a.length).slice(0, CANDIDATES);
  let widest = Math.max(0, ...longest.map((text) => extent(text, "")));
  if (isState(column)) widest += CHIP;
  if (simulated) widest += BADGE;
  if (following.value) widest += DOT;
  const header = extent(column.label || column.name, "600 ") + MARK;
  return Math.round(Math.min(WIDEST, Math.max(NARROWEST, widest, header)));
}

let pen: CanvasRenderingContext2D | null | undefined;

/* The width of a text in a cell, measured in the very font it is drawn in. */
function extent(text: string, weight: string): number {
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return text.length * 8 + PADDING;
  pen.font = `${weight}13px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width + PADDING;
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
