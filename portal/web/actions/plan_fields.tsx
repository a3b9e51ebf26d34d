/**
 * The options of a run that most runs do not need: waves and their gate, the window, retries, guards.
 *
 * Comes in: the draft, what is wrong with it and for how many devices it is. Invariant: closed it says what is in use; it is
 * open whenever something inside is wrong, so that no error is out of sight.
 */
import { ChevronRight } from "lucide";
import { useEffect, useState } from "preact/hooks";
import { isAbort, json } from "../api/client";
import type { Day, Diagnostic } from "../api/wire";
import { Button } from "../parts/button";
import { Field } from "../parts/field";
import { Icon } from "../parts/icon";
import { number } from "../values/text";
import { DAY_SECONDS, DAYS, type Draft, FAILED, nights, padded, type Problems, reaches, sizes, summary } from "./plan";

const PAUSE = 400; // milliseconds of silence before a gate is looked at
const DAY_WORDS: Record<Day, string> = { mon: "Mon", tue: "Tue", wed: "Wed", thu: "Thu", fri: "Fri", sat: "Sat", sun: "Sun" };
const SOAKS: readonly Choice[] = [
  ["No pause", 0],
  ["5 minutes", 300],
  ["15 minutes", 900],
  ["1 hour", 3_600],
  ["4 hours", 14_400],
  ["1 day", DAY_SECONDS],
];
const BACKOFFS: readonly Choice[] = [
  ["10 seconds", 10],
  ["1 minute", 60],
  ["10 minutes", 600],
  ["1 hour", 3_600],
];
const ONCE: readonly Choice[] = [
  ["However often", 0],
  ["1 hour", 3_600],
  ["1 day", DAY_SECONDS],
  ["7 days", 7 * DAY_SECONDS],
  ["30 days", 30 * DAY_SECONDS],
];
const RETRIES: readonly Choice[] = [["No", 1], ...[1, 2, 3, 5, 9].map((again): Choice => [again === 1 ? "Once" : `${again} times`, again + 1])];

type Choice = readonly [string, number];

interface Props {
  draft: Draft;
  wrong: Problems;
  count: number;
  byQuery: boolean;
  zone: string;
  onChange: (change: Partial<Draft>) => void;
}

export function PlanFields(props: Props) {
  const { draft, wrong } = props;
  const bad = Boolean(wrong.waves || wrong.gate || wrong.window || wrong.most);
  const [opened, setOpened] = useState(false);
  const used = summary(draft);
  return (
    <details class="options" open={opened || bad} onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary>
        <Icon node={ChevronRight} size={14} class="options-arrow" />
        More options
        <span class="muted">{used || "waves, window, retries, guards"}</span>
      </summary>
      <div class="options-body">
        <WaveFields {...props} />
        <WindowFields {...props} />
        <RetryFields {...props} />
        <GuardFields {...props} />
      </div>
    </details>
  );
}

function WaveFields({ draft, wrong, count, onChange }: Props) {
  const [typing, setTyping] = useState(false); // what is half written is not wrong yet
  const waves = sizes(draft.waves);
  const fine = waves.length > 0 && !wrong.waves;
  const steps = fine && count > 0 ? `Devices that may have begun: ${reaches(waves, count).map(number).join(", then ")}.` : "";
  return (
    <fieldset class="option-group">
      <legend>Waves</legend>
      <Field label="Sizes" error={typing ? undefined : wrong.waves} hint={steps || "Some devices first, for example 1, 5 %, 25 %, 100 %. Empty: all at once."}>
        {(wiring) => (
          <input
            {...wiring}
            type="text"
            autocomplete="off"
            placeholder="1, 5 %, 25 %, 100 %"
            value={draft.waves}
            onFocus={() => setTyping(true)}
            onBlur={() => setTyping(false)}
            onInput={(event) => onChange({ waves: event.currentTarget.value })}
          />
        )}
      </Field>
      {waves.length > 1 && (
        <>
          <Choose label="Pause before the next wave" choices={SOAKS} value={draft.soak} onPick={(soak) => onChange({ soak })} />
          <Field
            label="Health gate"
            optional
            error={wrong.gate}
            hint="A query that lists what is wrong, asked before each later wave. Any row halts the run; $run is this run."
          >
            {(wiring) => (
              <textarea
                {...wiring}
                class="mono"
                rows={3}
                spellcheck={false}
                value={draft.gate}
                onInput={(event) => onChange({ gate: event.currentTarget.value })}
              />
            )}
          </Field>
          {draft.gate.trim() === "" && (
            <Button small class="option-suggestion" onClick={() => onChange({ gate: FAILED })}>
              Halt where a device failed
            </Button>
          )}
        </>
      )}
    </fieldset>
  );
}

function WindowFields({ draft, wrong, zone, onChange }: Props) {
  const { window } = draft;
  const change = (part: Partial<NonNullable<Draft["window"]>>) => window && onChange({ window: { ...window, ...part } });
  /* a window may be days away: an hour would be refused */
  const open = (on: boolean) => onChange(on ? { window: nights(zone), expiry: Math.max(draft.expiry, 7 * DAY_SECONDS) } : { window: null });
  return (
    <fieldset class="option-group">
      <legend>When devices may begin</legend>
      <label class="check">
        <input type="checkbox" checked={window !== null} onChange={(event) => open(event.currentTarget.checked)} />
        Only in a maintenance window
      </label>
      {window && (
        <>
          <div class="days" role="group" aria-label="Days">
            {DAYS.map((day) => (
              <label key={day} class={window.days.includes(day) ? "day is-on" : "day"}>
                <input
                  type="checkbox"
                  checked={window.days.includes(day)}
                  onChange={(event) =>
                    change({ days: event.currentTarget.checked ? [...window.days, day] : window.days.filter((one) => one !== day) })
                  }
                />
                {DAY_WORDS[day]}
              </label>
            ))}
          </div>
          <div class="field-row">
            <Field label="From">
              {(wiring) => <TimeInput wiring={wiring} value={window.from} onInput={(from) => change({ from })} />}
            </Field>
            <Field label="To">
              {(wiring) => <TimeInput wiring={wiring} value={window.to} onInput={(to) => change({ to })} />}
            </Field>
            <Field label="Zone">
              {(wiring) => (
                <select {...wiring} value={window.zone} onChange={(event) => change({ zone: event.currentTarget.value })}>
                  {zones(window.zone, zone).map((name) => (
                    <option key={name} value={name}>
                      {name}
                    </option>
                  ))}
                </select>
              )}
            </Field>
          </div>
          <p class={wrong.window ? "form-error" : "field-note"}>
            {wrong.window ?? (padded(window.to) <= padded(window.from) ? "It ends on the next day. " : "") + "What has begun goes on after it closes."}
          </p>
        </>
      )}
    </fieldset>
  );
}

/* A text, because a browser's own field shows 12 hours where its language does, and the console shows 24. */
function TimeInput({ wiring, value, onInput }: { wiring: object; value: string; onInput: (value: string) => void }) {
  return (
    <input {...wiring} type="text" inputMode="numeric" maxLength={5} placeholder="22:00" value={value} onInput={(event) => onInput(event.currentTarget.value)} />
  );
}

function RetryFields({ draft, onChange }: Props) {
  return (
    <fieldset class="option-group">
      <legend>Again</legend>
      <div class="field-row">
        <Choose label="Try a failed device again" choices={RETRIES} value={draft.attempts} onPick={(attempts) => onChange({ attempts })} />
        {draft.attempts > 1 && (
          <Choose label="First pause" choices={BACKOFFS} value={draft.backoff} onPick={(backoff) => onChange({ backoff })} />
        )}
      </div>
      {draft.attempts > 1 && <p class="field-note">The pause doubles with each attempt.</p>}
      <Choose
        label="At most once every"
        choices={ONCE}
        value={draft.onceEvery}
        hint="Devices that began this action since then are left out."
        onPick={(onceEvery) => onChange({ onceEvery })}
      />
    </fieldset>
  );
}

function GuardFields({ draft, wrong, byQuery, onChange }: Props) {
  return (
    <fieldset class="option-group">
      <legend>Guards</legend>
      <Field label="At most so many devices" optional error={wrong.most} hint="With more than that the run does not start.">
        {(wiring) => (
          <input
            {...wiring}
            type="text"
            inputMode="numeric"
            autocomplete="off"
            value={draft.most}
            onInput={(event) => onChange({ most: event.currentTarget.value })}
          />
        )}
      </Field>
      {byQuery && (
        <label class="check">
          <input type="checkbox" checked={draft.follow} onChange={(event) => onChange({ follow: event.currentTarget.checked })} />
          Devices that the query finds later join, until the run expires
        </label>
      )}
    </fieldset>
  );
}

interface ChooseProps {
  label: string;
  choices: readonly Choice[];
  value: number;
  hint?: string;
  error?: string | undefined;
  onPick: (value: number) => void;
}

/** A choice of numbers by their words. */
export function Choose({ label, choices, value, hint, error, onPick }: ChooseProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => (
        <select {...wiring} value={String(value)} onChange={(event) => onPick(Number(event.currentTarget.value))}>
          {choices.map(([words, number]) => (
            <option key={number} value={String(number)}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** What the portal finds wrong with a gate, once typing pauses; empty where nothing is. */
export function useGateProblem(gate: string): string {
  const [found, setFound] = useState("");
  useEffect(() => {
    setFound("");
    if (gate.trim() === "") return;
    const abort = new AbortController();
    const waiting = setTimeout(() => {
      json<{ diagnostics: Diagnostic[] }>("/nql/diagnose", { body: { text: gate }, signal: abort.signal }).then(
        ({ diagnostics }) => {
          const first = diagnostics.find((one) => one.severity === "error");
          setFound(first ? `${first.message} ${first.hint}`.trim() : "");
        },
        (error: unknown) => !isAbort(error) && setFound(""), // then the portal says it at the start
      );
    }, PAUSE);
    return () => (clearTimeout(waiting), abort.abort());
  }, [gate]);
  return found;
}

function zones(chosen: string, own: string): string[] {
  return [...new Set([chosen, own, "UTC", ...Intl.supportedValuesOf("timeZone")])];
}
