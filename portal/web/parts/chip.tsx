/**
 * Small labels: the one chip of each execution state, badges, and plain chips for list values.
 *
 * Invariant: a state shows icon and word, never a colour alone, and looks the same on every surface.
 */
import type { IconNode } from "lucide";
import {
  Ban,
  CalendarX,
  CircleCheck,
  CircleDashed,
  CircleHelp,
  CirclePause,
  CircleX,
  Clock,
  FileX,
  Hourglass,
  LoaderCircle,
  PackageX,
  PlugZap,
  ShieldX,
  UserRound,
} from "lucide";
import { Icon } from "./icon";

type Tone = "ok" | "bad" | "warn" | "info" | "muted";

interface Face {
  word: string;
  tone: Tone;
  icon: IconNode;
  final: boolean;
}

const face = (word: string, tone: Tone, icon: IconNode, final = true): Face => ({ word, tone, icon, final });

/** Every execution state, in the order in which counts are shown. */
export const STATES: Record<string, Face> = {
  in_progress: face("In progress", "info", LoaderCircle, false),
  waiting_on_device: face("Waiting", "muted", Clock, false),
  waiting_on_user: face("Waiting on user", "info", UserRound, false),
  success: face("Success", "ok", CircleCheck),
  failure: face("Failure", "bad", CircleX),
  expired: face("Expired", "warn", CalendarX),
  cancelled: face("Cancelled", "muted", Ban),
  interrupted: face("Interrupted", "warn", PlugZap),
  lost_contact: face("Lost contact", "warn", CircleDashed),
  policy_denied: face("Policy denied", "bad", ShieldX),
  no_script: face("No script", "warn", FileX),
  old_collector: face("Old collector", "warn", PackageX),
};

/** The face of a state; an unknown one keeps its own name. */
export function stateFace(state: string): Face {
  return STATES[state] ?? face(state.replaceAll("_", " "), "muted", CircleHelp);
}

export function StateChip({ state, count }: { state: string; count?: number }) {
  const { word, tone, icon } = stateFace(state);
  return (
    <span class={`chip tone-${tone}`} data-state={state}>
      <Icon node={icon} size={14} class={state === "in_progress" ? "spin" : ""} />
      {word}
      {count !== undefined && <b>{count.toLocaleString("en-GB")}</b>}
    </span>
  );
}

/** That something waits, and for what: its wave, the window, a halted run. */
export function HeldChip({ children, count }: { children: string; count?: number }) {
  return (
    <span class="chip tone-muted" data-state="held">
      <Icon node={Hourglass} size={14} />
      {children}
      {count !== undefined && <b>{count.toLocaleString("en-GB")}</b>}
    </span>
  );
}

/** That a run stands still until somebody looks at it. */
export function HaltedChip() {
  return (
    <span class="chip tone-bad">
      <Icon node={CirclePause} size={14} />
      Halted
    </span>
  );
}

export function Chip({ children }: { children: string }) {
  return <span class="chip chip-plain">{children}</span>;
}

/** Marks an action whose newest version no trusted author signed. */
export function DraftBadge() {
  return (
    <span class="badge badge-draft" title="No trusted author signed the newest version">
      draft
    </span>
  );
}

/** The end of a device's uid, where its name alone does not tell it apart. */
export function UidEnd({ end }: { end: string | undefined }) {
  return end ? <code class="uid-end">…{end}</code> : null;
}

/** Marks a device that is not a real machine. */
export function SimulatedBadge() {
  return (
    <span class="badge" title="A simulated device: its data and answers are made up">
      simulated
    </span>
  );
}
