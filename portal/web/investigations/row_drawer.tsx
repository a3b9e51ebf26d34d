/**
 * One row in the drawer: every column with its exact value, each ready to copy.
 */
import { ChevronDown, ChevronUp, Copy } from "lucide";
import type { QueryResult } from "../api/wire";
import { Button } from "../parts/button";
import { SimulatedBadge } from "../parts/chip";
import { Drawer } from "../parts/drawer";
import { CellValue, exactly, shown } from "../values/cell";
import { copyText } from "./copy";
import { open, order, zone } from "./state";

export function RowDrawer({ result, row }: { result: QueryResult; row: number }) {
  const values = result.rows[row];
  const device = result.devices?.[row];
  const position = order.value.indexOf(row);
  const step = (by: number) => {
    const next = order.value[position + by];
    if (next !== undefined) open({ kind: "row", row: next });
  };
  if (!values) return null;
  const object = Object.fromEntries(result.columns.map((column, index) => [column.name, values[index] ?? null]));
  return (
    <Drawer
      title={device?.name ?? `Row ${position + 1}`}
      subtitle={
        <>
          Row {(position + 1).toLocaleString("en-GB")} of {result.rows.length.toLocaleString("en-GB")}
          {device?.simulated && <SimulatedBadge />}
        </>
      }
      tools={
        <>
          <Button look="quiet" icon={ChevronUp} label="Row before" disabled={position <= 0} onClick={() => step(-1)} />
          <Button
            look="quiet"
            icon={ChevronDown}
            label="Row after"
            disabled={position >= result.rows.length - 1}
            onClick={() => step(1)}
          />
          <Button
            look="quiet"
            icon={Copy}
            label="Copy the row as JSON"
            onClick={() => void copyText(JSON.stringify(object, null, 2), "the row")}
          />
        </>
      }
      onClose={() => open(null)}
    >
      <dl class="details">
        {result.columns.map((column, index) => {
          const value = values[index] ?? null;
          const exact = exactly(value, column);
          const differs = value !== null && !Array.isArray(value) && exact !== shown(value, column, zone.value);
          return (
            <div key={index} class="detail">
              <dt title={column.name}>{column.label || column.name}</dt>
              <dd>
                <div class="detail-value">
                  <CellValue value={value} column={column} zone={zone.value} />
                  {differs && <span class="detail-exact">{exact}</span>}
                </div>
                <Button
                  small
                  look="quiet"
                  icon={Copy}
                  label={`Copy ${column.label || column.name}`}
                  onClick={() => void copyText(value === null ? "" : exact, column.label || column.name)}
                />
              </dd>
            </div>
          );
        })}
      </dl>
    </Drawer>
  );
}
