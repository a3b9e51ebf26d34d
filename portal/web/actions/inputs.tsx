/**
 * The inputs of an action as form fields: a choice where values are given, free text where any is allowed.
 */
import { useState } from "preact/hooks";
import type { Action, ActionInput } from "../api/wire";
import { Field } from "../parts/field";

export type Values = Record<string, string>;

/** Each input with its default, else the first allowed value; the same rule as the portal's. */
export function defaults(action: Action): Values {
  return Object.fromEntries((action.inputs ?? []).map((input) => [input.name, input.default ?? input.allowed?.[0] ?? ""]));
}

/** Labels of inputs that still need a value: those without a default. */
export function missing(action: Action, values: Values): string[] {
  return (action.inputs ?? [])
    .filter(({ name, default: preset }) => typeof preset !== "string" && (values[name] ?? "").trim() === "")
    .map(({ name, label }) => label || name);
}

interface Props {
  action: Action;
  values: Values;
  onChange: (values: Values) => void;
}

export function InputFields({ action, values, onChange }: Props) {
  const inputs = action.inputs ?? [];
  if (inputs.length === 0) return null;
  return (
    <fieldset class="inputs">
      <legend>Inputs</legend>
      {inputs.map((input) => (
        <InputField
          key={input.name}
          input={input}
          value={values[input.name] ?? ""}
          onChange={(value) => onChange({ ...values, [input.name]: value })}
        />
      ))}
    </fieldset>
  );
}

const OTHER = "\u0000other";

function InputField({ input, value, onChange }: { input: ActionInput; value: string; onChange: (value: string) => void }) {
  const allowed = input.allowed ?? [];
  const free = input.custom === true || allowed.length === 0;
  const [other, setOther] = useState(free && allowed.length > 0 && value !== "" && !allowed.includes(value));
  const label = input.label || input.name;
  const hint = input.description || undefined;
  if (allowed.length === 0) {
    return (
      <Field label={label} hint={hint}>
        {(wiring) => <input {...wiring} type="text" value={value} onInput={(event) => onChange(event.currentTarget.value)} />}
      </Field>
    );
  }
  return (
    <>
      <Field label={label} hint={hint}>
        {(wiring) => (
          <select
            {...wiring}
            value={other ? OTHER : value}
            onChange={(event) => {
              const picked = event.currentTarget.value;
              setOther(picked === OTHER);
              onChange(picked === OTHER ? "" : picked);
            }}
          >
            {value === "" && !other && <option value="">Choose…</option>}
            {allowed.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
            {free && <option value={OTHER}>Another value…</option>}
          </select>
        )}
      </Field>
      {other && (
        <Field label={`${label}: value`}>
          {(wiring) => <input {...wiring} type="text" value={value} onInput={(event) => onChange(event.currentTarget.value)} />}
        </Field>
      )}
    </>
  );
}
