/**
 * Selections as plain sets of row numbers: toggle one, extend over a range of positions, take all.
 *
 * Invariant: every function returns a new set and leaves its argument alone.
 */

/** With the row in where it was out, and out where it was in. */
export function toggled(selected: ReadonlySet<number>, row: number): Set<number> {
  const next = new Set(selected);
  if (!next.delete(row)) next.add(row);
  return next;
}

/** With every row between two positions, both included. */
export function extended(selected: ReadonlySet<number>, order: Uint32Array, from: number, to: number): Set<number> {
  const next = new Set(selected);
  for (let position = Math.min(from, to); position <= Math.max(from, to); position++) {
    const row = order[position];
    if (row !== undefined) next.add(row);
  }
  return next;
}

/** Every row; none if all are selected already. */
export function allOrNone(selected: ReadonlySet<number>, order: Uint32Array): Set<number> {
  return selected.size === order.length ? new Set() : new Set(order);
}
