/**
 * A grid for many rows: drawn only where seen, sorted by its headers, selected by mouse and keyboard.
 *
 * Comes in: columns, the order of rows, a function that draws a cell. Goes out: what the person asked for (sort, select,
 * open, resize, copy); the owner keeps that state. Invariant: one tab stop; inside, arrows move and the active cell is named
 * to screen readers by aria-activedescendant.
 */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { bounded, GridHead } from "./head";
import { answer, type Act } from "./keys";
import { GridRow } from "./row";
import { allOrNone, extended, toggled } from "./selection";
import { HEAD_HEIGHT, HEADER, LEAD_WIDTH, OVERSCAN, ROW_HEIGHT, type GridProps, type Place } from "./types";
import { useVirtual } from "./virtual";

const BAR_HEIGHT = 64;
const STEP = 16;

export function Grid(props: GridProps) {
  const { columns, widths, order, selected } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<Place>({ position: 0, column: 0 });
  const [focused, setFocused] = useState(false);
  const anchor = useRef(0);
  const covered = HEAD_HEIGHT + (selected.size > 0 ? BAR_HEIGHT : 0);
  const virtual = useVirtual({ scroller, count: order.length, rowHeight: ROW_HEIGHT, covered });

  useLayoutEffect(() => {
    const template = `${LEAD_WIDTH}px ${widths.map((width) => `${width}px`).join(" ")} minmax(24px, 1fr)`;
    scroller.current?.style.setProperty("--columns", template);
  }, [widths]);
  useEffect(() => {
    if (place.position >= order.length) setPlace({ position: Math.max(0, order.length - 1), column: 0 });
  }, [order]);

  const goTo = (next: Place) => {
    setPlace(next);
    if (next.position >= 0) virtual.scrollToIndex(next.position, { align: "auto" });
    showColumn(scroller.current, widths, next.column);
  };
  const perform = (act: Act, next: Place) => {
    const row = order[next.position];
    if (act === "all") props.onSelect(allOrNone(selected, order));
    else if (act === "clear") props.onSelect(new Set());
    else if (act === "copy") props.onCopy();
    else if (act === "sort") props.onSort(next.column);
    else if (act === "narrow" || act === "widen") {
      props.onResize(next.column, bounded((widths[next.column] ?? 0) + (act === "widen" ? STEP : -STEP)));
    } else if (act === "extend") props.onSelect(extended(selected, order, anchor.current, next.position));
    else if (row === undefined) return;
    else if (act === "toggle") props.onSelect(toggled(selected, row));
    else if (act === "open") props.onOpen(row);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const pressed = { key: event.key, shift: event.shiftKey, ctrl: event.ctrlKey || event.metaKey, alt: event.altKey };
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 2);
    const found = answer(pressed, place, order.length, columns.length, page);
    if (!found || leftToPage(found.act, selected)) return;
    event.preventDefault();
    event.stopPropagation();
    goTo(found.place);
    perform(found.act, found.place);
    if (found.act !== "extend") anchor.current = Math.max(0, found.place.position);
  };
  const onClick = (event: MouseEvent) => {
    const target = event.target as HTMLElement;
    const position = Number(target.closest<HTMLElement>("[data-position]")?.dataset["position"] ?? Number.NaN);
    const row = order[position];
    if (row === undefined) return;
    const column = Number(target.closest<HTMLElement>("[data-column]")?.dataset["column"] ?? place.column);
    setPlace({ position, column });
    if (target.closest("[data-open]")) return props.onOpen(row);
    if (event.shiftKey) props.onSelect(extended(selected, order, anchor.current, position));
    else if (target.closest("[data-check]") || event.ctrlKey || event.metaKey) props.onSelect(toggled(selected, row));
    else if (props.marked !== null) props.onOpen(row);
    if (!event.shiftKey) anchor.current = position;
  };
  /* rows that scroll out lend their elements to those that scroll in: changing texts is cheaper than making elements */
  const slots = Math.ceil((virtual.scrollRect?.height ?? 0) / ROW_HEIGHT) + 2 * OVERSCAN + 2;
  const here = focused && place.position !== HEADER ? place : null;
  return (
    <div
      ref={scroller}
      class="grid"
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={props.total + 1}
      aria-colcount={columns.length + 1}
      aria-multiselectable
      aria-activedescendant={focused ? "grid-active" : undefined}
      onKeyDown={onKeyDown}
      onFocus={() => setFocused(true)}
      onBlur={() => setFocused(false)}
    >
      <div class="grid-canvas" role="presentation">
        <div class="grid-top" role="rowgroup">
          <GridHead
            {...props}
            active={focused && place.position === HEADER ? place.column : null}
            all={order.length > 0 && selected.size === order.length}
            some={selected.size > 0}
            onAll={() => props.onSelect(allOrNone(selected, order))}
          />
        </div>
        <div
          class={selected.size > 0 ? "grid-body has-bar" : "grid-body"}
          role="rowgroup"
          style={{ height: `${virtual.getTotalSize()}px` }}
          onClick={onClick}
          onMouseDown={(event) => event.shiftKey && event.preventDefault()}
          onDblClick={(event) => {
            const row = order[Number((event.target as HTMLElement).closest<HTMLElement>("[data-position]")?.dataset["position"])];
            if (row !== undefined) props.onOpen(row);
          }}
        >
          {virtual.getVirtualItems().map(({ index }) => {
            const row = order[index];
            if (row === undefined) return null;
            return (
              <GridRow
                key={index % slots}
                row={row}
                position={index}
                columns={columns}
                cell={props.cell}
                selected={selected.has(row)}
                marked={props.marked === row}
                active={here?.position === index ? here.column : null}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function leftToPage(act: Act, selected: ReadonlySet<number>): boolean {
  if (act === "clear") return selected.size === 0;
  return act === "copy" && (selected.size === 0 || (getSelection()?.toString() ?? "") !== "");
}

function showColumn(scroller: HTMLDivElement | null, widths: readonly number[], column: number): void {
  if (!scroller) return;
  const left = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
  const right = left + (widths[column] ?? 0) + LEAD_WIDTH;
  if (left < scroller.scrollLeft) scroller.scrollLeft = left;
  else if (right > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = right - scroller.clientWidth;
}
