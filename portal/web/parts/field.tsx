/**
 * A form field: label, control, hint or error, joined by ids so that screen readers read them together.
 *
 * The control is passed as a function of the attributes it must carry. Invariant: an error takes the hint's place, never
 * a new line, so that nothing below moves.
 */
import type { JSX } from "preact";
import { useId } from "preact/hooks";

interface Wiring {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean | undefined;
}

interface Props {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  optional?: boolean;
  children: (wiring: Wiring) => JSX.Element;
}

export function Field({ label, hint, error, optional, children }: Props) {
  const id = useId();
  const note = error || hint;
  return (
    <div class={error ? "field field-bad" : "field"}>
      <label for={id}>
        {label}
        {optional && <span class="muted"> (optional)</span>}
      </label>
      {children({ id, "aria-describedby": note ? `${id}-note` : undefined, "aria-invalid": error ? true : undefined })}
      {note && (
        <p class="field-note" id={`${id}-note`}>
          {note}
        </p>
      )}
    </div>
  );
}
