/**
 * The query in plain English: a sentence for each step, and the plan for those who want it exactly.
 *
 * Invariant: what is shown is about the text as it stands in the editor; while it has errors, that is said and the last
 * explanation goes.
 */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { asFailure, type Failure, isAbort, json } from "../api/client";
import type { Explanation } from "../api/wire";
import { Drawer } from "../parts/drawer";
import { text, zone } from "./state";
import { strict, strictly } from "./strict";

type Said = { kind: "nothing" } | { kind: "said"; explanation: Explanation } | { kind: "failed"; failure: Failure };

const PAUSE = 250;
const said = signal<Said>({ kind: "nothing" });

export function ExplainDrawer({ onClose }: { onClose: () => void }) {
  const [query, inZone, only] = [text.value, zone.value, strict.value];
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => void ask(query, inZone, abort.signal), said.peek().kind === "nothing" ? 0 : PAUSE);
    return () => (clearTimeout(timer), abort.abort());
  }, [query, inZone, only]);
  return (
    <Drawer title="What this query asks" onClose={onClose}>
      <div class="explanation" aria-live="polite">
        <Body />
      </div>
    </Drawer>
  );
}

function Body() {
  const now = said.value;
  if (now.kind === "nothing") return <p class="muted">Write a query, and it is said here in plain English.</p>;
  if (now.kind === "failed") return <Failed failure={now.failure} />;
  const { sentences, plan } = now.explanation;
  return (
    <>
      <ol class="sentences">
        {sentences.map((sentence, index) => (
          <li key={index}>{sentence}</li>
        ))}
      </ol>
      <details class="plan">
        <summary>The plan, exactly</summary>
        <pre tabIndex={0}>{plan}</pre>
      </details>
    </>
  );
}

function Failed({ failure }: { failure: Failure }) {
  const [first] = failure.diagnostics;
  return (
    <>
      <p>{first ? "A query with errors asks nothing yet." : failure.message}</p>
      {first && <p class="muted">{first.message}</p>}
    </>
  );
}

async function ask(query: string, inZone: string, signal: AbortSignal): Promise<void> {
  if (query.trim() === "") {
    said.value = { kind: "nothing" };
    return;
  }
  try {
    const explanation = await json<Explanation>("/nql/explain", { body: { text: query, zone: inZone, ...strictly() }, signal });
    if (!signal.aborted) said.value = { kind: "said", explanation };
  } catch (error) {
    if (!isAbort(error)) said.value = { kind: "failed", failure: asFailure(error) };
  }
}
