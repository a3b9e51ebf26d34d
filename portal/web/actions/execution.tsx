/**
 * One device of a run: its state, how long it took, and on opening its outputs, error and exit code.
 */
import { ChevronRight } from "lucide";
import type { Action, ActionOutput, Column, Execution, Value } from "../api/wire";
import { SimulatedBadge, StateChip } from "../parts/chip";
import { Icon } from "../parts/icon";
import { CellValue } from "../values/cell";
import { duration } from "../values/text";
import { moment } from "../values/times";

const TYPES: Record<string, string> = {
  bool: "boolean",
  uint32: "int",
  size: "bytes",
  ratio: "percentage",
  date_time: "datetime",
  string_list: "string_array",
};

interface Props {
  execution: Execution;
  action: Action | null;
  zone: string;
  open: boolean;
}

export function ExecutionRow({ execution, action, zone, open }: Props) {
  const { device, state, started_at: started, duration: took } = execution;
  const outputs = Object.entries(execution.outputs ?? {});
  return (
    <li class="execution">
      <details open={open || undefined}>
        <summary>
          <Icon node={ChevronRight} size={14} class="execution-arrow" />
          <span class="execution-device">
            <span class="cell-text">{device.name ?? device.uid}</span>
            {device.simulated && <SimulatedBadge />}
          </span>
          {took !== null && <span class="muted nowrap">{duration(took)}</span>}
          <StateChip state={state} />
        </summary>
        <div class="execution-more">
          {outputs.length > 0 && (
            <dl class="pairs">
              {outputs.map(([name, value]) => (
                <Output key={name} name={name} value={value} declared={action?.outputs?.find((one) => one.name === name)} zone={zone} />
              ))}
            </dl>
          )}
          {execution.error && <pre class="execution-error">{execution.error}</pre>}
          {execution.detail && execution.detail !== execution.error && <p class="muted">{execution.detail}</p>}
          <p class="muted execution-facts">
            {execution.exit_code !== null && <span>exit code {execution.exit_code}</span>}
            {started && <span title={started}>started {moment(started, zone)}</span>}
            {execution.attempt > 1 && <span>attempt {execution.attempt}</span>}
            {!started && outputs.length === 0 && !execution.detail && <span>Nothing has come back yet.</span>}
          </p>
        </div>
      </details>
    </li>
  );
}

interface OutputProps {
  name: string;
  value: Value;
  declared: ActionOutput | undefined;
  zone: string;
}

function Output({ name, value, declared, zone }: OutputProps) {
  const type = declared?.type ?? "string";
  const column: Column = {
    name,
    label: name,
    type: TYPES[type] ?? type,
    unit: type === "duration" ? "s" : null,
    format: type === "bitrate" ? { name: "bitrate", code: null } : null,
    members: [],
  };
  return (
    <div>
      <dt title={declared?.description || name}>{declared?.label || name}</dt>
      <dd>
        <CellValue value={value} column={column} zone={zone} />
      </dd>
    </div>
  );
}
