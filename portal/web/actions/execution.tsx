/**
 * One device of a run: its state, how long it took, and on opening its outputs, error and exit code.
 */
import { ChevronRight } from "lucide";
import type { Action, ActionOutput, Column, Execution, Run, Value } from "../api/wire";
import { HeldChip, SimulatedBadge, StateChip, UidEnd } from "../parts/chip";
import { Icon } from "../parts/icon";
import { CellValue } from "../values/cell";
import { duration } from "../values/text";
import { clock, moment } from "../values/times";

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
  end: string | undefined;
  run: Run;
  action: Action | null;
  zone: string;
  open: boolean;
}

export function ExecutionRow({ execution, end, run, action, zone, open }: Props) {
  const { device, state, started_at: started, duration: took } = execution;
  const held = heldText(execution, run, zone);
  const outputs = Object.entries(execution.outputs ?? {});
  return (
    <li class="execution">
      <details open={open || undefined}>
        <summary>
          <Icon node={ChevronRight} size={14} class="execution-arrow" />
          <span class="execution-device">
            <span class="cell-text" title={device.uid}>
              {device.name ?? device.uid}
            </span>
            <UidEnd end={end} />
            {device.simulated && <SimulatedBadge />}
          </span>
          {took !== null && <span class="muted nowrap">{duration(took)}</span>}
          {held ? <HeldChip>{held}</HeldChip> : <StateChip state={state} />}
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
            {!started && outputs.length === 0 && !execution.detail && <span>{held ? "It has not been handed out." : "Nothing has come back yet."}</span>}
          </p>
        </div>
      </details>
    </li>
  );
}

/* Why a device that waits cannot begin now; empty where it may. */
function heldText({ waits_for: why, wave, begins_at: begins }: Execution, run: Run, zone: string): string {
  const at = begins ? clock(begins, zone) : "";
  switch (why) {
    case "wave":
      return `Held: wave ${wave} of ${run.plan?.waves?.length ?? 1}`;
    case "run":
      return "Held: run is halted";
    case "window":
      return `Held until ${at} (window)`;
    case "attempt":
      return `Tries again at ${at}`;
    default:
      return "";
  }
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
