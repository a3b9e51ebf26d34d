/**
 * The form that starts a run: which action, on which devices, with what; nothing starts without all of that in sight.
 *
 * Comes in: the chosen devices and, when every row is chosen, the query they come from. Goes out: the id of the started run.
 * Invariants: one idempotency key a form, so that a double click or a retry starts one run; above LIMIT devices the number
 * must be typed.
 */
import { Zap } from "lucide";
import { useEffect, useMemo, useState } from "preact/hooks";
import { asFailure, Failure } from "../api/client";
import type { Action, DeviceRef, Target } from "../api/wire";
import { Button } from "../parts/button";
import { Drawer } from "../parts/drawer";
import { Field } from "../parts/field";
import { say } from "../parts/toast";
import { plural } from "../values/text";
import { ActionPicker } from "./action_picker";
import { ActionSummary } from "./action_summary";
import { action as fetchAction, start } from "./client";
import { defaults, InputFields, missing } from "./inputs";
import { TargetView, usePreview } from "./target";

const LIMIT = 100;
const MOST_LISTED = 10_000;
const REASON_LENGTH = 500;
const EXPIRIES: readonly [string, number][] = [
  ["15 minutes", 900],
  ["1 hour", 3_600],
  ["4 hours", 14_400],
  ["1 day", 86_400],
  ["7 days", 604_800],
];

interface Props {
  devices: readonly DeviceRef[];
  query: string | null;
  truncated: boolean;
  onStarted: (runId: string) => void;
  onClose: () => void;
}

export function RunForm({ devices, query, truncated, onStarted, onClose }: Props) {
  const [chosen, setChosen] = useState<Action | null>(null);
  const [byQuery, setByQuery] = useState(query !== null && devices.length > MOST_LISTED);
  const target = useMemo<Target>(
    () => (byQuery && query !== null ? { nql: query } : { devices: devices.map(({ uid }) => uid) }),
    [byQuery, query, devices],
  );
  const pick = (action: Action) => {
    setChosen(action);
    fetchAction(action.nql_id).then(setChosen, () => undefined); /* the list leaves the scripts out */
  };
  if (!chosen) {
    return (
      <Drawer title="Run an action" subtitle={`On ${plural(devices.length, "device")}`} onClose={onClose}>
        <ActionPicker onPick={pick} />
      </Drawer>
    );
  }
  return (
    <Details
      key={chosen.nql_id}
      action={chosen}
      devices={devices}
      target={target}
      choice={query === null ? null : { byQuery, setByQuery, truncated }}
      onBack={() => setChosen(null)}
      onStarted={onStarted}
      onClose={onClose}
    />
  );
}

interface DetailsProps {
  action: Action;
  devices: readonly DeviceRef[];
  target: Target;
  choice: { byQuery: boolean; setByQuery: (on: boolean) => void; truncated: boolean } | null;
  onBack: () => void;
  onStarted: (runId: string) => void;
  onClose: () => void;
}

function Details({ action, devices, target, choice, onBack, onStarted, onClose }: DetailsProps) {
  const [values, setValues] = useState(() => defaults(action));
  const [reason, setReason] = useState("");
  const [expiry, setExpiry] = useState(3_600);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [key] = useState(() => crypto.randomUUID?.() ?? String(Math.random()));
  const found = usePreview(target);
  useEffect(() => setTyped(""), [target]);

  const count = found.preview?.count ?? 0;
  const large = count > LIMIT;
  const lacking = missing(action, values);
  const ready = count > 0 && lacking.length === 0 && (!large || typed.trim() === String(count)) && !busy;
  const submit = async () => {
    if (!ready) return;
    setBusy(true);
    setFailure(null);
    try {
      const run = await start({
        action: action.nql_id,
        parameters: values,
        target,
        expires_in: expiry,
        idempotency_key: key,
        ...(reason.trim() ? { reason: reason.trim() } : {}),
      });
      say(`${action.name} started on ${plural(count, "device")}`);
      onStarted(run.id);
    } catch (error) {
      setFailure(asFailure(error));
      setBusy(false);
    }
  };
  return (
    <Drawer
      title={action.name}
      subtitle={<code>{action.nql_id}</code>}
      back={{ label: "Choose another action", go: onBack }}
      onClose={onClose}
      footer={
        <>
          {failure && (
            <p class="form-error" role="alert">
              {failure.message} {failure.hint}
            </p>
          )}
          {lacking.length > 0 && <p class="form-lacks">Still needed: {lacking.join(", ")}</p>}
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" icon={Zap} disabled={!ready} onClick={() => void submit()}>
            {busy ? "Starting…" : count > 0 ? `Run on ${plural(count, "device")}` : "Run"}
          </Button>
        </>
      }
    >
      <form class="form" onSubmit={(event) => (event.preventDefault(), void submit())}>
        <ActionSummary action={action} />
        <InputFields action={action} values={values} onChange={setValues} />
        <TargetView found={found} choice={choice} devices={devices} />
        <Field label="Reason" optional hint="Kept with the run, for whoever asks later.">
          {(wiring) => (
            <input {...wiring} type="text" maxLength={REASON_LENGTH} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          )}
        </Field>
        <Field label="Start within" hint="A device that does not come online in this time is left out.">
          {(wiring) => (
            <select {...wiring} value={String(expiry)} onChange={(event) => setExpiry(Number(event.currentTarget.value))}>
              {EXPIRIES.map(([label, seconds]) => (
                <option key={seconds} value={String(seconds)}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        {large && (
          <Field label={`Type ${count} to confirm`} hint={`This runs on more than ${LIMIT} devices.`}>
            {(wiring) => (
              <input {...wiring} type="text" inputMode="numeric" autocomplete="off" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
            )}
          </Field>
        )}
      </form>
    </Drawer>
  );
}
