/**
 * One value of a result as a person reads it: formatted by the type of its column, exact on hover.
 *
 * Goes out: what stands in a grid cell (`CellValue`), the same as plain text (`shown`), and the exact text for details and
 * copying (`exactly`). Invariant: null is shown as a dash, so that an empty text and no value look different.
 */
import type { Column, DeviceRef, Value } from "../api/wire";
import { Chip, SimulatedBadge, StateChip, STATES } from "../parts/chip";
import { exact, quantity } from "./text";
import { moment } from "./times";

const NUMERIC = new Set(["int", "float", "percentage", "duration", "bytes"]);
const DEVICE_NAMES = new Set(["name", "device.name"]);

/** Whether a column's values stand at the right. */
export function isNumeric(column: Column): boolean {
  return NUMERIC.has(column.type) || column.format !== null;
}

/** Whether a column holds states of executions. */
export function isState(column: Column): boolean {
  return column.type === "enum" && column.members.includes("waiting_on_device");
}

/** Whether a column names the device that its row is about. */
export function namesDevice(column: Column): boolean {
  return DEVICE_NAMES.has(column.name.toLowerCase());
}

/** A value as short plain text. */
export function shown(value: Value, column: Column, zone: string): string {
  if (value === null) return "–";
  if (typeof value === "number") return quantity(value, column);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (Array.isArray(value)) return value.map(String).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  if (column.type === "datetime") return moment(value, zone);
  if (isState(column)) return STATES[value]?.word ?? value;
  return value;
}

/** A value exactly, for hover, details and copying; nothing rounded, instants in UTC. */
export function exactly(value: Value, column: Column): string {
  if (value === null) return "null";
  if (typeof value === "number") return exact(value, column);
  if (typeof value === "string") return value;
  return JSON.stringify(value);
}

interface Props {
  value: Value;
  column: Column;
  zone: string;
  device?: DeviceRef | null | undefined;
}

export function CellValue({ value, column, zone, device }: Props) {
  if (value === null) {
    return (
      <span class="null" title="null: no value">
        –
      </span>
    );
  }
  if (typeof value === "string" && isState(column)) return <StateChip state={value} />;
  if (typeof value === "boolean") return <span class={value ? "" : "muted"}>{value ? "true" : "false"}</span>;
  if (Array.isArray(value)) return <Chips values={value} />;
  const text = shown(value, column, zone);
  if (device?.simulated && namesDevice(column)) {
    return (
      <>
        <span class="cell-text" title={text}>
          {text}
        </span>
        <SimulatedBadge />
      </>
    );
  }
  return (
    <span class="cell-text" title={exactly(value, column)}>
      {text}
    </span>
  );
}

const FEW = 6;

function Chips({ values }: { values: Value[] }) {
  if (values.length === 0) return <span class="muted">[ ]</span>;
  const all = values.map(String);
  return (
    <span class="cell-chips" title={all.join("\n")}>
      {all.slice(0, FEW).map((text, index) => (
        <Chip key={index}>{text}</Chip>
      ))}
      {all.length > FEW && <span class="muted">+{all.length - FEW}</span>}
    </span>
  );
}
