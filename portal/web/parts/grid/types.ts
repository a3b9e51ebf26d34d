/**
 * What a grid is made of: columns, an order of rows, a selection, and what to call when something happens.
 *
 * Two numberings: a *row* is a row's number in the data and never changes; a *position* is its place on the screen under
 * the present order. Selections hold rows, so that sorting does not move them.
 */
import type { ComponentChildren } from "preact";

export interface GridColumn {
  id: string;
  label: string;
  title: string;
  end: boolean;
}

export interface GridSort {
  column: number;
  descending: boolean;
}

export interface GridProps {
  label: string;
  columns: readonly GridColumn[];
  widths: readonly number[];
  order: Uint32Array;
  total: number;
  cell: (row: number, column: number) => ComponentChildren;
  sort: GridSort | null;
  selected: ReadonlySet<number>;
  marked: number | null;
  onSort: (column: number) => void;
  onSelect: (selected: ReadonlySet<number>) => void;
  onOpen: (row: number) => void;
  onResize: (column: number, width: number | "fit") => void;
  onCopy: () => void;
}

export const ROW_HEIGHT = 28;
export const HEAD_HEIGHT = 32;
export const LEAD_WIDTH = 60;
export const OVERSCAN = 8;
export const HEADER = -1;

/** Where the keyboard is: a position (HEADER for the header row) and a column. */
export interface Place {
  position: number;
  column: number;
}
