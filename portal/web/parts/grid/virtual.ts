/**
 * Ties TanStack's virtualizer to a component: only rows near the view are drawn.
 *
 * Goes out: the positions to draw and a way to bring one into view. Invariant: rows have one fixed height, so nothing is
 * ever measured and 100,000 rows cost as much as a hundred.
 */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";
import { OVERSCAN } from "./types";

interface Options {
  scroller: RefObject<HTMLDivElement | null>;
  count: number;
  rowHeight: number;
  covered: number;
}

export function useVirtual({ scroller, count, rowHeight, covered }: Options): Virtualizer<HTMLDivElement, HTMLDivElement> {
  const [, redraw] = useReducer<number, void>((turn) => turn + 1, 0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN,
    scrollPaddingEnd: covered,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw(),
  };
  const [virtual] = useState(() => new Virtualizer<HTMLDivElement, HTMLDivElement>(options));
  virtual.setOptions(options);
  useLayoutEffect(() => virtual._didMount(), [virtual]);
  useLayoutEffect(() => virtual._willUpdate());
  return virtual;
}
