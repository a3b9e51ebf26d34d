/**
 * What the query in the editor would read, told before it runs; and how a cost reads.
 *
 * Invariant: what is shown is about the text as it stands; while it changes or has errors nothing is shown. Who does not
 * see the whole estate is told no cost, and sees nothing here.
 */
import { signal } from "@preact/signals";
import { json } from "../api/client";
import type { Cost } from "../api/wire";
import { bytes, number } from "../values/text";
import { zone } from "./state";
import { strictly } from "./strict";

const PAUSE = 500;
const LARGE = 100_000;
const MILLIONS = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 2 });

export const estimate = signal<Cost | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;
let under: AbortController | null = null;
let about = "";

/** Forget the estimate of another text. */
export function noEstimate(): void {
  clearTimeout(timer);
  under?.abort();
  under = null;
  about = "";
  estimate.value = null;
}

/** Ask for the estimate of a text without errors, when typing pauses. */
export function estimateSoon(text: string): void {
  if (text === about) return;
  noEstimate();
  if (text.trim() === "") return;
  about = text;
  const abort = new AbortController();
  under = abort;
  timer = setTimeout(() => void ask(text, abort.signal), PAUSE);
}

async function ask(text: string, signal: AbortSignal): Promise<void> {
  try {
    const found = await json<Cost>("/query/estimate", { body: { text, zone: zone.value, ...strictly() }, signal });
    if (!signal.aborted) estimate.value = found;
  } catch {
    // What is wrong with a text the findings say; without an estimate it can be run all the same.
  }
}

/** `about 30 million rows, 240 MB`, or nothing where the cost is not told. */
export function costText({ rows, bytes: size }: Cost): string {
  if (rows === null || size === null) return "";
  const count = rows >= LARGE ? `about ${MILLIONS.format(rows / 1e6)} million rows` : `up to ${number(rows)} rows`;
  return `${count}, ${bytes(size)}`;
}

/** Where the rows came from, in words. */
export function placeText({ where }: Cost): string {
  if (where === "worker") return "in a process of its own";
  return where === "kept" ? "nothing has changed since it was last asked" : "";
}
