/**
 * One row of a grid. Drawn again only when something about it changed; few elements, because scrolling draws many.
 */
import { Component, type ComponentChildren } from "preact";
import { ROW_HEIGHT, type GridColumn } from "./types";

interface Props {
  row: number;
  position: number;
  columns: readonly GridColumn[];
  cell: (row: number, column: number) => ComponentChildren;
  selected: boolean;
  marked: boolean;
  active: number | null;
}

export class GridRow extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const now = this.props;
    return (Object.keys(next) as (keyof Props)[]).some((key) => now[key] !== next[key]);
  }

  override render({ row, position, columns, cell, selected, marked, active }: Props) {
    const classes = ["grid-row"];
    if (selected) classes.push("is-selected");
    if (marked) classes.push("is-marked");
    if (active !== null) classes.push("is-active");
    return (
      <div
        class={classes.join(" ")}
        role="row"
        aria-rowindex={position + 2}
        aria-selected={selected}
        data-position={position}
        style={{ transform: `translateY(${position * ROW_HEIGHT}px)` }}
      >
        <div class="grid-lead" role="gridcell">
          <span class="grid-check" data-check>
            <input type="checkbox" tabIndex={-1} checked={selected} aria-label={`Select row ${position + 1}`} />
          </span>
          <button type="button" class="grid-open" data-open tabIndex={-1} aria-label={`Details of row ${position + 1}`} />
        </div>
        {columns.map((column, index) => (
          <div
            key={column.id}
            id={active === index ? "grid-active" : undefined}
            class={`grid-cell${column.end ? " is-end" : ""}${active === index ? " is-here" : ""}`}
            role="gridcell"
            data-column={index}
          >
            {cell(row, index)}
          </div>
        ))}
      </div>
    );
  }
}
