/**
 * The form that starts a run: which action, on which devices, with what; nothing starts without all of that in sight.
 *
 * Comes in: the chosen devices and, when every row is chosen, the query they come from. Goes out: the id of the started run.
 * Invariants: one idempotency key a form, so that a double click or a retry starts one run; above LIMIT devices the number
 * must be typed.
 */
import { FilePen, Zap } from "lucide";
import { useEffect, useMemo, useState } from "preact/hooks";
import { asFailure, Failure } from "../api/client";
import type { Action, DeviceRef, Target } from "../api/wire";
import { Button } from "../parts/button";
import { Drawer } from "../parts/drawer";
import { Field } from "../parts/field";
import { Icon } from "../parts/icon";
import { say } from "../parts/toast";
import { number, plural } from "../values/text";
import { ActionPicker } from "./action_picker";
import { ActionSummary } from "./action_summary";
import { action as fetchAction, start } from "./client";
import { defaults, InputFields, missing } from "./inputs";
import { AT_ONCE, type Draft, type FieldName, GROWTH, planOf, problems, type Problems, sizes } from "./plan";
import { Choose, PlanFields, useGateProblem } from "./plan_fields";
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
  ["30 days", 2_592_000],
];
const LABELS: Record<FieldName, string> = { waves: "waves", gate: "health gate", window: "window", most: "guard", expiry: "start within" };
/* where the portal's refusal belongs in the form; anything else is said at its foot */
const PLACES: Record<string, FieldName> = { expires_too_soon: "expiry", guard_stopped: "most" };

interface Props {
  zone: string;
  devices: readonly DeviceRef[];
  query: string | null;
  truncated: boolean;
  onStarted: (runId: string) => void;
  onClose: () => void;
}

export function RunForm({ zone, devices, query, truncated, onStarted, onClose }: Props) {
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
      zone={zone}
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
  zone: string;
  action: Action;
  devices: readonly DeviceRef[];
  target: Target;
  choice: { byQuery: boolean; setByQuery: (on: boolean) => void; truncated: boolean } | null;
  onBack: () => void;
  onStarted: (runId: string) => void;
  onClose: () => void;
}

function Details({ zone, action, devices, target, choice, onBack, onStarted, onClose }: DetailsProps) {
  const [values, setValues] = useState(() => defaults(action));
  const [reason, setReason] = useState("");
  const [draft, setDraft] = useState(AT_ONCE);
  const [allowed, setAllowed] = useState(false);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [key] = useState(() => crypto.randomUUID?.() ?? String(Math.random()));
  const found = usePreview(target);
  const gateProblem = useGateProblem(draft.gate);
  useEffect(() => setTyped(""), [target]);
  const change = (part: Partial<Draft>) => {
    setDraft({ ...draft, ...part });
    setFailure(null);
  };

  const count = found.preview?.count ?? 0;
  const large = count > LIMIT;
  const byQuery = "nql" in target;
  const wrong = wrongWith(draft, count, gateProblem, failure);
  const lacking = missing(action, values);
  if (action.draft && !allowed) lacking.push("consent to run a draft");
  const toMend = (Object.keys(wrong) as FieldName[]).filter((name) => failure === null || PLACES[failure.code] !== name);
  const ready = count > 0 && lacking.length + toMend.length === 0 && (!large || typed.trim() === String(count)) && !busy;
  const submit = async () => {
    if (!ready) return;
    setBusy(true);
    setFailure(null);
    try {
      const run = await start({
        action: action.nql_id,
        parameters: values,
        target,
        expires_in: draft.expiry,
        plan: planOf(draft, byQuery ? count : null),
        allow_draft: allowed,
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
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void submit();
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
              {PLACES[failure.code] ? `Not started. To mend: ${LABELS[PLACES[failure.code] as FieldName]}` : `${failure.message} ${failure.hint}`}
            </p>
          )}
          {lacking.length > 0 && <p class="form-lacks">Still needed: {lacking.join(", ")}</p>}
          {lacking.length === 0 && toMend.length > 0 && <p class="form-lacks">To mend: {toMend.map((name) => LABELS[name]).join(", ")}</p>}
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" icon={Zap} disabled={!ready} onClick={() => void submit()}>
            {busy ? "Starting…" : count > 0 ? `Run on ${plural(count, "device")}` : "Run"}
          </Button>
        </>
      }
    >
      <form class="form" onSubmit={(event) => (event.preventDefault(), void submit())} onKeyDown={onKey}>
        <ActionSummary action={action} />
        {action.draft && <DraftNotice action={action} allowed={allowed} onAllow={setAllowed} />}
        <InputFields action={action} values={values} onChange={setValues} />
        <TargetView found={found} choice={choice} devices={devices} platforms={action.platforms ?? []} guard={guardText(draft, byQuery, count)} />
        <Field label="Reason" optional hint="Kept with the run, for whoever asks later.">
          {(wiring) => (
            <input {...wiring} type="text" maxLength={REASON_LENGTH} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          )}
        </Field>
        <Choose
          label="Start within"
          choices={EXPIRIES}
          value={draft.expiry}
          error={wrong.expiry}
          hint={`A device that does not come online in this time is left out${sizes(draft.waves).length > 1 ? "; it bounds all waves together" : ""}.`}
          onPick={(expiry) => change({ expiry })}
        />
        <PlanFields draft={draft} wrong={wrong} count={count} byQuery={byQuery} zone={zone} onChange={change} />
        <p class="field-note">Priority: runs started by hand go before scheduled ones on each device.</p>
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

/* What is wrong at which field: what the form sees itself, what the portal finds in the gate, what it refused last. */
function wrongWith(draft: Draft, count: number, gate: string, failure: Failure | null): Problems {
  const found = problems(draft, count);
  if (gate && sizes(draft.waves).length > 1) found.gate ??= gate;
  const place = failure && PLACES[failure.code];
  if (place) found[place] ??= failure.message;
  return found;
}

function guardText(draft: Draft, byQuery: boolean, count: number): string {
  if (!byQuery || count === 0) return "";
  if (draft.most.trim()) return `It does not start for more than ${number(Number(draft.most))} devices.`;
  if (draft.follow) return "";
  return `It does not start if the query then finds over ${GROWTH} % more devices than now.`;
}

function DraftNotice({ action, allowed, onAllow }: { action: Action; allowed: boolean; onAllow: (on: boolean) => void }) {
  return (
    <section class="notice" aria-label="Draft">
      <p>
        <Icon node={FilePen} size={14} />
        <b>Version {action.number} is a draft:</b> no trusted author signed it. Only devices with an open policy run it, all others refuse.
      </p>
      <p>
        The way out: an author signs it with <code>muster actions sign DIR --push</code>.
      </p>
      <label class="check">
        <input type="checkbox" checked={allowed} onChange={(event) => onAllow(event.currentTarget.checked)} />
        Run the draft all the same
      </label>
    </section>
  );
}
