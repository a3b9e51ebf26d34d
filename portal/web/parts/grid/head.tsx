/**
 * The header row of a grid: names, the mark of the sort, handles to make columns wider, and the box that selects all.
 */
import { ArrowDown, ArrowUp } from "lucide";
import { useRef } from "preact/hooks";
import { Icon } from "../icon";
import type { GridProps } from "./types";

const NARROWEST = 48;
const WIDEST = 1200;

interface Props extends Pick<GridProps, "columns" | "widths" | "sort" | "onSort" | "onResize"> {
  active: number | null;
  all: boolean;
  some: boolean;
  onAll: () => void;
}

export function GridHead(props: Props) {
  return (
    <div class="grid-head" role="row" aria-rowindex={1}>
      <div class="grid-lead" role="columnheader" aria-label="Selection">
        <span class="grid-check" onClick={props.onAll}>
          <input
            type="checkbox"
            tabIndex={-1}
            checked={props.all}
            indeterminate={props.some && !props.all}
            aria-label="Select all rows"
          />
        </span>
      </div>
      {props.columns.map((column, index) => (
        <HeadCell key={column.id} index={index} {...props} />
      ))}
    </div>
  );
}

/** A width within bounds. */
export function bounded(width: number): number {
  return Math.round(Math.min(WIDEST, Math.max(NARROWEST, width)));
}

function HeadCell({ index, columns, widths, sort, active, onSort, onResize }: Props & { index: number }) {
  const column = columns[index];
  const start = useRef<{ x: number; width: number } | null>(null);
  if (!column) return null;
  const sorted = sort?.column === index ? (sort.descending ? "descending" : "ascending") : "none";
  return (
    <div
      id={active === index ? "grid-active" : undefined}
      class={`grid-headcell${column.end ? " is-end" : ""}${active === index ? " is-here" : ""}`}
      role="columnheader"
      aria-sort={sorted}
      title={column.title}
    >
      <button type="button" class="grid-sort" tabIndex={-1} onClick={() => onSort(index)}>
        <span class="grid-name">{column.label}</span>
        {sorted !== "none" && <Icon node={sorted === "descending" ? ArrowDown : ArrowUp} size={14} />}
      </button>
      <span
        class="grid-handle"
        aria-hidden="true"
        onDblClick={() => onResize(index, "fit")}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          start.current = { x: event.clientX, width: widths[index] ?? NARROWEST };
        }}
        onPointerMove={(event) => {
          if (start.current) onResize(index, bounded(start.current.width + event.clientX - start.current.x));
        }}
        onPointerUp={() => (start.current = null)}
      />
    </div>
  );
}
