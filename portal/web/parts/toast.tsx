/**
 * Short news at the lower edge: something was done, or could not be.
 *
 * Invariant: read out by screen readers (a live region that is always in the page); news of failures stays until closed.
 */
import { signal } from "@preact/signals";
import { CircleAlert, CircleCheck, X } from "lucide";
import { Button } from "./button";
import { Icon } from "./icon";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  action?: { label: string; run: () => void } | undefined;
}

const STAY = 5000;
const shown = signal<Toast[]>([]);
let next = 1;

/** Say something; `action` adds one button. */
export function say(text: string, options: { bad?: boolean; action?: { label: string; run: () => void } } = {}): void {
  const toast: Toast = { id: next++, text, bad: options.bad ?? false, action: options.action };
  shown.value = [...shown.value.slice(-2), toast];
  if (!toast.bad) setTimeout(() => drop(toast.id), STAY);
}

function drop(id: number): void {
  shown.value = shown.value.filter((toast) => toast.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.value.map((toast) => (
        <div key={toast.id} class={toast.bad ? "toast toast-bad" : "toast"}>
          <Icon node={toast.bad ? CircleAlert : CircleCheck} />
          <span>{toast.text}</span>
          {toast.action && (
            <Button small look="quiet" onClick={() => (toast.action?.run(), drop(toast.id))}>
              {toast.action.label}
            </Button>
          )}
          <Button small look="quiet" icon={X} label="Dismiss" onClick={() => drop(toast.id)} />
        </div>
      ))}
    </div>
  );
}
