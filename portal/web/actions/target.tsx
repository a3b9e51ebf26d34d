/**
 * On what an action will run: how many devices, some of their names, and whether the list or the query decides.
 *
 * Invariant: the number comes from the portal's own preview of the very target that will be sent, never from the screen.
 */
import { ListChecks, SquareTerminal } from "lucide";
import { useEffect, useState } from "preact/hooks";
import { asFailure, type Failure, isAbort } from "../api/client";
import type { DeviceRef, Preview, Target } from "../api/wire";
import { SimulatedBadge, UidEnd } from "../parts/chip";
import { Icon } from "../parts/icon";
import { number, plural } from "../values/text";
import { deviceNames, preview as ask } from "./client";

const SHOWN = 8;

export interface Found {
  preview: Preview | null;
  failure: Failure | null;
}

/** The portal's preview of a target; asked again when the target changes. */
export function usePreview(target: Target): Found {
  const [found, setFound] = useState<Found>({ preview: null, failure: null });
  useEffect(() => {
    const abort = new AbortController();
    setFound({ preview: null, failure: null });
    ask(target, abort.signal).then(
      (preview) => setFound({ preview, failure: null }),
      (error: unknown) => !isAbort(error) && setFound({ preview: null, failure: asFailure(error) }),
    );
    return () => abort.abort();
  }, [target]);
  return found;
}

interface Props {
  found: Found;
  platforms: readonly string[];
  guard: string;
  devices: readonly DeviceRef[];
  choice: { byQuery: boolean; setByQuery: (on: boolean) => void; truncated: boolean } | null;
}

export function TargetView({ found, devices, choice, platforms, guard }: Props) {
  return (
    <fieldset class="target">
      <legend>Target</legend>
      {choice && (
        <div class="segments" role="radiogroup" aria-label="Target by">
          <Segment on={!choice.byQuery} icon={ListChecks} pick={() => choice.setByQuery(false)}>
            These {plural(devices.length, "device")}
          </Segment>
          <Segment on={choice.byQuery} icon={SquareTerminal} pick={() => choice.setByQuery(true)}>
            This query
          </Segment>
        </div>
      )}
      {choice?.byQuery && <p class="muted">The query runs once more at the start; its devices are then fixed and kept with the run.</p>}
      {choice?.truncated && !choice.byQuery && <p class="warning">More rows exist than are loaded. To reach all of them, target the query.</p>}
      {found.failure && (
        <p class="form-error" role="alert">
          {found.failure.diagnostics[0]?.message ?? found.failure.message}
        </p>
      )}
      <div class="target-count" aria-live="polite">
        {found.preview ? <b>{plural(found.preview.count, "device")}</b> : !found.failure && <span class="muted">Counting…</span>}
      </div>
      {found.preview?.count === 0 && <p class="warning">The target has no device now. Widen the query, or choose other rows.</p>}
      {found.preview && <Sample preview={found.preview} />}
      {found.preview && <Platforms counts={found.preview.platforms ?? {}} known={platforms} />}
      {found.preview && <Claimed fields={found.preview.claimed ?? []} />}
      {guard && <p class="muted">{guard}</p>}
    </fieldset>
  );
}

function Sample({ preview }: { preview: Preview }) {
  const names = deviceNames(preview.sample);
  const rest = preview.count - Math.min(SHOWN, preview.sample.length);
  return (
    <ul class="sample">
      {preview.sample.slice(0, SHOWN).map((device) => (
        <li key={device.uid} title={device.uid}>
          {names.get(device.uid)?.name}
          <UidEnd end={names.get(device.uid)?.end} />
          {device.simulated && <SimulatedBadge />}
        </li>
      ))}
      {rest > 0 && <li class="muted">and {number(rest)} more</li>}
    </ul>
  );
}

/* How many devices of each platform there are, and which of them the action has no script for. */
function Platforms({ counts, known }: { counts: Record<string, number>; known: readonly string[] }) {
  const all = Object.entries(counts);
  if (all.length === 0) return null;
  const lacking = known.length > 0 ? all.filter(([name]) => name !== "unknown" && !known.includes(name)) : [];
  return (
    <>
      <p class="muted">{all.map(([name, count]) => `${number(count)} ${name}`).join(", ")}</p>
      {lacking.map(([name, count]) => (
        <p key={name} class="warning">
          {plural(count, "device")} with {name}: the action has no script for it.
        </p>
      ))}
    </>
  );
}

/* Which of the fields that decide the target only the devices themselves say. */
function Claimed({ fields }: { fields: readonly string[] }) {
  if (fields.length === 0) return null;
  return (
    <p class="muted" title="A device that lies about itself could join or leave the target. uid, entity and first_seen are decided by the portal.">
      Rests on what devices say of themselves: {fields.join(", ")}.
    </p>
  );
}

function Segment(props: { on: boolean; icon: typeof ListChecks; pick: () => void; children: preact.ComponentChildren }) {
  return (
    <label class={props.on ? "segment is-on" : "segment"}>
      <input type="radio" name="target" checked={props.on} onChange={props.pick} />
      <Icon node={props.icon} size={14} />
      {props.children}
    </label>
  );
}
