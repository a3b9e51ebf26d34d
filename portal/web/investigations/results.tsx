/**
 * What stands below the editor: the empty page, the wait, the failure, or the rows with their action bar.
 */
import { Copy, SquareCheckBig, X, Zap } from "lucide";
import { useCallback, useMemo } from "preact/hooks";
import { may } from "../api/boot";
import type { QueryResult } from "../api/wire";
import { Nql } from "../editor/static";
import { Button } from "../parts/button";
import { Grid } from "../parts/grid/grid";
import type { GridColumn } from "../parts/grid/types";
import { Icon } from "../parts/icon";
import { CellValue, isNumeric } from "../values/cell";
import { plural } from "../values/text";
import { runText } from "./ask";
import { fitted, resize, widths } from "./columns";
import { copyRows } from "./copy";
import { EXAMPLES } from "./examples";
import { FailureView } from "./failure";
import { marks } from "./live";
import { chosenDevices, drawer, keep, keepSoon, open, order, outcome, selected, sort, zone } from "./state";

export function Results() {
  const now = outcome.value;
  return (
    <section class="results" aria-label="Results" aria-busy={now.kind === "asking"}>
      {now.kind === "none" && <Empty />}
      {now.kind === "asking" && <Skeleton />}
      {now.kind === "failed" && <FailureView failure={now.failure} />}
      {now.kind === "rows" && (now.result.rows.length === 0 ? <NoRows result={now.result} /> : <Rows result={now.result} />)}
    </section>
  );
}

function Empty() {
  return (
    <div class="empty">
      <h2>Ask every device a question</h2>
      <p class="muted">
        Write NQL above and press <kbd>Ctrl</kbd> <kbd>Enter</kbd>, or begin with one of these.
      </p>
      <ul class="examples">
        {EXAMPLES.map(({ title, text }) => (
          <li key={title}>
            <button type="button" class="example" onClick={() => void runText(text)}>
              <span class="example-title">{title}</span>
              <Nql text={text} />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function NoRows({ result }: { result: QueryResult }) {
  return (
    <div class="empty empty-small">
      <h2>No rows</h2>
      <p class="muted">
        The query ran and nothing matches{result.window ? " in its time window" : ""}. Widen the window, or take a condition away.
      </p>
    </div>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: 20 }, (_, index) => (
        <div key={index} class="skeleton-row">
          <i />
          <i />
          <i />
          <i />
        </div>
      ))}
    </div>
  );
}

function Rows({ result }: { result: QueryResult }) {
  const shownZone = zone.value;
  const shownMarks = marks.value;
  const columns = useMemo<GridColumn[]>(
    () =>
      result.columns.map((column, index) => ({
        id: `${index}:${column.name}`,
        label: column.label || column.name,
        title: `${column.name}\n${column.type}${column.unit ? `, ${column.unit}` : ""}`,
        end: isNumeric(column),
      })),
    [result.columns],
  );
  const cell = useCallback(
    (row: number, index: number) => {
      const column = result.columns[index];
      if (!column) return null;
      return (
        <>
          <Changed mark={shownMarks.get(row)} column={index} />
          <CellValue
            value={result.rows[row]?.[index] ?? null}
            column={column}
            zone={shownZone}
            device={result.devices?.[row]}
          />
        </>
      );
    },
    [result, shownZone, shownMarks],
  );
  const setByHand = widths(result, shownZone);
  const stable = useMemo(() => setByHand, [setByHand.join()]);
  return (
    <>
      <Grid
        label="Result rows"
        columns={columns}
        widths={stable}
        order={order.value}
        total={result.rows.length}
        cell={cell}
        sort={sort.value}
        selected={selected.value}
        marked={drawer.value?.kind === "row" ? drawer.value.row : null}
        onSort={(column) => sortBy(column)}
        onSelect={(next) => ((selected.value = next), keepSoon())}
        onOpen={(row) => open({ kind: "row", row })}
        onResize={(index, width) => {
          const name = result.columns[index]?.name;
          if (name !== undefined) resize(name, width === "fit" ? fitted(result, index, shownZone) : width);
        }}
        onCopy={() => void copyRows(result, selected.value, order.value)}
      />
      {selected.value.size > 0 && <ActionBar result={result} />}
    </>
  );
}

/* A quiet dot at what the last refresh changed: at each value, or at the first of a row that is new. */
function Changed({ mark, column }: { mark: ReadonlySet<number> | null | undefined; column: number }) {
  if (mark === undefined || (mark === null ? column !== 0 : !mark.has(column))) return null;
  return <i class={mark === null ? "cell-dot is-new" : "cell-dot"} role="img" aria-label={mark === null ? "New row" : "Changed"} />;
}

/* A header takes turns: ascending, descending, as the portal sent it. */
function sortBy(column: number): void {
  const now = sort.value;
  if (now?.column !== column) sort.value = { column, descending: false };
  else sort.value = now.descending ? null : { column, descending: true };
  keep();
}

function ActionBar({ result }: { result: QueryResult }) {
  const devices = chosenDevices.value;
  return (
    <div class="actionbar" role="toolbar" aria-label="Selected rows">
      <Icon node={SquareCheckBig} />
      <span>
        <b>{plural(selected.value.size, "row")}</b>
        {result.devices && devices.length !== selected.value.size && <span class="muted"> · {plural(devices.length, "device")}</span>}
      </span>
      {devices.length > 0 && may("execute") && (
        <Button look="primary" icon={Zap} onClick={() => open({ kind: "act" })}>
          Run action on {plural(devices.length, "device")}
        </Button>
      )}
      <Button look="quiet" icon={Copy} onClick={() => void copyRows(result, selected.value, order.value)}>
        Copy
      </Button>
      <Button look="quiet" icon={X} label="Clear the selection" onClick={() => ((selected.value = new Set()), keepSoon())} />
    </div>
  );
}
