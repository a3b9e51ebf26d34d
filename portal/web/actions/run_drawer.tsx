/**
 * One run, followed live: counts by state, progress, every device with its outputs or its error, and the way to the results
 * as a query.
 */
import { CirclePlay, CircleStop, Search, SquareTerminal } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { may } from "../api/boot";
import { asFailure } from "../api/client";
import type { Action, Counts, Execution, Run } from "../api/wire";
import { Button } from "../parts/button";
import { HeldChip, STATES, StateChip, stateFace } from "../parts/chip";
import { Drawer } from "../parts/drawer";
import { Icon } from "../parts/icon";
import { say } from "../parts/toast";
import { duration, number, plural } from "../values/text";
import { clock, moment } from "../values/times";
import { action as fetchAction, cancelRun, deviceNames, idOf, resultsQuery, resumeRun, shortVersion } from "./client";
import { ExecutionRow } from "./execution";
import { Follow } from "./follow";
import { windowText } from "./plan";

const SHOWN = 200;

interface Props {
  id: string;
  zone: string;
  onBack: () => void;
  onQuery: (text: string) => void;
  onClose: () => void;
}

export function RunDrawer({ id, zone, onBack, onQuery, onClose }: Props) {
  const follow = useMemo(() => new Follow(id), [id]);
  const [action, setAction] = useState<Action | null>(null);
  useEffect(() => {
    void follow.start();
    return () => follow.close();
  }, [follow]);
  const run = follow.run.value;
  const nqlId = run ? idOf(run) : null;
  useEffect(() => {
    if (nqlId) fetchAction(nqlId).then(setAction, () => setAction(null));
  }, [nqlId]);
  const rows = useMemo(() => [...follow.rows.value.values()], [follow.rows.value]);
  const title = action?.name ?? nqlId ?? "Run";
  return (
    <Drawer
      title={title}
      subtitle={run && <RunSubtitle run={run} zone={zone} />}
      back={{ label: "Recent runs", go: onBack }}
      onClose={onClose}
      footer={
        nqlId && (
          <>
            {run?.state === "halted" && may("execute") && <ResumeRun id={id} />}
            {run && !run.complete && may("execute") && <CancelRun id={id} />}
            <Button
              look={run?.complete ? "primary" : "plain"}
              icon={SquareTerminal}
              onClick={() => onQuery(resultsQuery(nqlId, action?.outputs ?? []))}
            >
              Open results as query
            </Button>
          </>
        )
      }
    >
      {follow.failure.value && <p class="form-error">{follow.failure.value.message}</p>}
      {run && <Progress run={run} />}
      {run && <Waves run={run} zone={zone} />}
      {run && <Parameters run={run} action={action} />}
      {run && <PlanView run={run} zone={zone} />}
      {run && <Executions rows={rows} run={run} action={action} zone={zone} />}
    </Drawer>
  );
}

/* What has started may not stop, so this asks once more before it does anything. */
function CancelRun({ id }: { id: string }) {
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const stop = async () => {
    setBusy(true);
    try {
      const { cancelled, asked } = await cancelRun(id);
      say(`${plural(cancelled, "device")} cancelled${asked > 0 ? `, ${plural(asked, "device")} asked to stop` : ""}`);
    } catch (error) {
      say(asFailure(error).message, { bad: true });
    }
    setBusy(false);
    setSure(false);
  };
  if (!sure) {
    return (
      <Button look="quiet" icon={CircleStop} onClick={() => setSure(true)}>
        Cancel run
      </Button>
    );
  }
  return (
    <>
      <Button look="danger" icon={CircleStop} disabled={busy} onClick={() => void stop()}>
        Yes, cancel it
      </Button>
      <Button look="quiet" onClick={() => setSure(false)}>
        Keep running
      </Button>
    </>
  );
}

function ResumeRun({ id }: { id: string }) {
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      await resumeRun(id);
      say("The run goes on");
    } catch (error) {
      say(asFailure(error).message, { bad: true });
    }
    setBusy(false);
  };
  return (
    <Button look="primary" icon={CirclePlay} disabled={busy} onClick={() => void go()}>
      Resume
    </Button>
  );
}

/* Why a run stands still, and its waves where there are several. */
function Waves({ run, zone }: { run: Run; zone: string }) {
  const waves = run.waves ?? [];
  const several = waves.length > 1;
  const opens = run.complete ? null : run.opens_at;
  if (!several && !run.state_detail && !run.skipped && !opens) return null;
  return (
    <section class="progress" aria-label="Waves">
      {run.state_detail && (
        <p class={run.state === "halted" ? "form-error" : "muted"}>
          {run.state === "halted" ? "Halted: " : ""}
          {run.state_detail}
        </p>
      )}
      {opens && <p class="muted">Held until {clock(opens, zone)}: its window is closed</p>}
      {several && (
        <dl class="pairs">
          {waves.map((wave) => (
            <div key={wave.number}>
              <dt>
                Wave {wave.number} ({wave.size})
              </dt>
              <dd>{waveText(wave)}</dd>
            </div>
          ))}
        </dl>
      )}
      {run.next_at && (
        <p class="muted">
          Next wave at {moment(run.next_at, zone)}
          {run.plan?.gate && " if the gate holds"}
        </p>
      )}
      {!!run.skipped && <p class="muted">{plural(run.skipped, "device")} left out: they ran this action not long ago</p>}
    </section>
  );
}

function waveText(wave: NonNullable<Run["waves"]>[number]): string {
  const { total, ended } = tally(wave.counts);
  if (!wave.released) return `${plural(wave.held, "device")} held back`;
  const bad = Object.entries(wave.counts).filter(([state]) => stateFace(state).tone === "bad");
  const failed = bad.reduce((sum, [, count]) => sum + count, 0);
  return `${number(ended)} of ${plural(total + wave.held, "device")} done${failed > 0 ? `, ${number(failed)} failed` : ""}`;
}

function RunSubtitle({ run, zone }: { run: Run; zone: string }) {
  const version = shortVersion(run.version);
  return (
    <>
      {version && <code title={`Version ${run.version ?? ""}`}>{version}</code>}
      {run.requested_by && <span>by {run.requested_by}</span>}
      {run.requested_at && <span title={run.requested_at}>{moment(run.requested_at, zone)}</span>}
    </>
  );
}

/** How many executions there are, and how many have ended. */
export function tally(counts: Counts): { total: number; ended: number } {
  const entries = Object.entries(counts);
  return {
    total: entries.reduce((sum, [, count]) => sum + count, 0),
    ended: entries.reduce((sum, [state, count]) => sum + (stateFace(state).final ? count : 0), 0),
  };
}

/* The states that devices are in, and how many are held back: by their wave, a halt, or the window while it is closed. */
function standing(run: Run): { counts: Counts; known: string[]; held: number } {
  const waiting = run.counts["waiting_on_device"] ?? 0;
  const held = run.opens_at && !run.complete ? waiting : (run.held ?? 0);
  const counts: Counts = { ...run.counts, waiting_on_device: waiting - held };
  return { counts, known: Object.keys(STATES).filter((state) => (counts[state] ?? 0) > 0), held };
}

/** A chip for each state that devices of the run are in. */
export function StandingChips({ run }: { run: Run }) {
  const { counts, known, held } = standing(run);
  return (
    <>
      {known.map((state) => (
        <StateChip key={state} state={state} count={counts[state] ?? 0} />
      ))}
      {held > 0 && <HeldChip count={held}>Held</HeldChip>}
    </>
  );
}

function Progress({ run }: { run: Run }) {
  const { total, ended } = tally(run.counts);
  const { counts, known, held } = standing(run);
  const said = run.complete ? `All ${plural(total, "device")} done` : `${number(ended)} of ${plural(total, "device")} done`;
  return (
    <section class="progress" aria-label="Progress">
      <div class="progress-line">
        <b aria-live="polite">{said}</b>
        {run.target?.text && <span class="muted">target: a query</span>}
        {run.target?.digest && (
          <code class="muted" title={`Digest of the fixed set of devices: ${run.target.digest}`}>
            {run.target.digest.slice(0, 8)}
          </code>
        )}
      </div>
      <div
        class="progress-track"
        role="progressbar"
        aria-label="Devices done"
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={ended}
      >
        {known.map((state) => (
          <span
            key={state}
            class={`progress-part tone-${stateFace(state).tone}${stateFace(state).final ? "" : " is-open"}`}
            style={{ flexGrow: counts[state] ?? 0 }}
          />
        ))}
        {held > 0 && <span class="progress-part tone-muted is-open" style={{ flexGrow: held }} />}
      </div>
      <div class="progress-chips">
        <StandingChips run={run} />
      </div>
    </section>
  );
}

/* What the run was told beside its target: only what differs from a run at once. */
function PlanView({ run, zone }: { run: Run; zone: string }) {
  const plan = run.plan ?? {};
  const rows: [string, ComponentChildren][] = [];
  if (!run.complete && run.expires_at) rows.push(["Start until", clock(run.expires_at, zone)]);
  if (plan.window) rows.push(["Window", windowText(plan.window)]);
  if (plan.soak) rows.push(["Pause between waves", duration(plan.soak)]);
  if (plan.gate) rows.push(["Gate", <code class="plan-gate">{plan.gate}</code>]);
  if (plan.retries) rows.push(["Retries", `${plan.retries.attempts - 1}, the first after ${duration(plan.retries.backoff)}`]);
  if (plan.once_every) rows.push(["At most once every", duration(plan.once_every)]);
  if (plan.limits?.devices) rows.push(["At most", plural(plan.limits.devices, "device")]);
  if (plan.mode === "follow") rows.push(["Target", "follows the query"]);
  if (!run.complete && run.trigger) rows.push(["Priority", run.trigger === "scheduled" ? "after runs started by hand" : "before scheduled runs"]);
  if (rows.length === 0) return null;
  return (
    <dl class="pairs" aria-label="Plan">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Parameters({ run, action }: { run: Run; action: Action | null }) {
  const given = Object.entries(run.parameters ?? {});
  if (given.length === 0 && !run.reason) return null;
  const label = (name: string) => action?.inputs?.find((input) => input.name === name)?.label || name;
  return (
    <dl class="pairs">
      {given.map(([name, value]) => (
        <div key={name}>
          <dt>{label(name)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
      {run.reason && (
        <div>
          <dt>Reason</dt>
          <dd>{run.reason}</dd>
        </div>
      )}
    </dl>
  );
}

function Executions({ rows, run, action, zone }: { rows: Execution[]; run: Run; action: Action | null; zone: string }) {
  const [typed, setTyped] = useState("");
  const [most, setMost] = useState(SHOWN);
  const names = useMemo(() => deviceNames(rows.map(({ device }) => device)), [rows]);
  const wanted = typed.trim().toLowerCase();
  const found = wanted
    ? rows.filter(({ device, state }) => `${device.name ?? ""} ${device.uid} ${stateFace(state).word} ${state}`.toLowerCase().includes(wanted))
    : rows;
  return (
    <section class="executions" aria-label="Devices">
      {rows.length > 10 && (
        <label class="search">
          <Icon node={Search} />
          <input
            type="search"
            aria-label="Filter devices"
            placeholder="Filter by device or state"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
      )}
      <ul class="executions-list">
        {found.slice(0, most).map((execution) => (
          <ExecutionRow
            key={execution.device.uid}
            execution={execution}
            end={names.get(execution.device.uid)?.end}
            run={run}
            action={action} zone={zone}
            open={rows.length <= 3}
          />
        ))}
      </ul>
      {found.length > most && (
        <Button look="quiet" onClick={() => setMost(most + SHOWN)}>
          Show more of {plural(found.length, "device")}
        </Button>
      )}
    </section>
  );
}

