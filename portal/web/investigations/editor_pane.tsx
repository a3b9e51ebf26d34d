/**
 * The upper half: the query editor with its tools, and the line that says what is wrong with the text.
 *
 * Invariant: the line of findings is always there and one row high, so that nothing moves while typing.
 */
import { nextDiagnostic } from "@codemirror/lint";
import type { EditorView } from "@codemirror/view";
import { signal } from "@preact/signals";
import { AlignLeft, ChevronDown, CircleCheck, CircleX, History, Lightbulb, Link, ListVideo, MessageSquareText, Play, Ruler, TriangleAlert, Wand } from "lucide";
import { lookAgain, type Problem } from "../editor/diagnose";
import { Editor } from "../editor/editor";
import { format } from "../editor/format";
import { Button } from "../parts/button";
import { Icon } from "../parts/icon";
import { type Entry, Menu } from "../parts/menu";
import { say } from "../parts/toast";
import { moment } from "../values/times";
import { run, runText } from "./ask";
import { costText, estimate, estimateSoon, noEstimate } from "./cost";
import { copyText } from "./copy";
import { EXAMPLES } from "./examples";
import { recent } from "./recent";
import { accountZone, drawer, keepSoon, open, text } from "./state";
import { setStrict, strict } from "./strict";

const problems = signal<Problem[]>([]);
let view: EditorView | null = null;

/** Put the cursor into the query. */
export function focusEditor(): void {
  view?.focus();
}

/** The editor itself, once it stands. */
export function editorView(): EditorView | null {
  return view;
}

export function EditorPane() {
  return (
    <section class="query" aria-label="Query">
      <Editor
        text={text}
        strict={() => strict.peek()}
        onText={typed}
        onProblems={looked}
        onRun={() => void run()}
        onExplain={explain}
        onStrict={toggleStrict}
        onSay={say}
        onReady={(made) => (view = made)}
      />
      <div class="query-foot">
        <ProblemLine />
        <Tools />
      </div>
    </section>
  );
}

function typed(next: string): void {
  if (next === text.peek()) return;
  text.value = next;
  noEstimate();
  keepSoon();
}

function looked(found: Problem[]): void {
  problems.value = found;
  if (found.some((one) => one.severity === "error")) noEstimate();
  else estimateSoon(text.peek());
}

function ProblemLine() {
  const found = problems.value;
  const first = found.find((one) => one.severity === "error") ?? found[0];
  if (!first) {
    return (
      <div class="problemline" aria-live="polite">
        {text.value.trim() !== "" && (
          <span class="muted problemline-fine">
            <Icon node={CircleCheck} size={14} />
            No problems found
            {estimate.value && costText(estimate.value) && <span class="problemline-cost">Will read {costText(estimate.value)}</span>}
          </span>
        )}
      </div>
    );
  }
  const warning = first.severity !== "error";
  return (
    <div class="problemline" aria-live="polite">
      <button
        type="button"
        class={warning ? "problemline-text is-warning" : "problemline-text"}
        title={[first.message, first.hint].filter(Boolean).join("\n")}
        onClick={() => goTo(first)}
      >
        <Icon node={warning ? TriangleAlert : CircleX} size={14} />
        <span class="problemline-message">{first.message}</span>
        {first.hint && <span class="problemline-hint">{first.hint}</span>}
      </button>
      {first.fixes.slice(0, 2).map((fix) => (
        <Button key={fix.title} small icon={Wand} onClick={() => view && fix.apply(view)}>
          {fix.title}
        </Button>
      ))}
      {found.length > 1 && (
        <Button small look="quiet" onClick={() => view && (nextDiagnostic(view), view.focus())}>
          Next of {found.length}
        </Button>
      )}
    </div>
  );
}

function explain(): void {
  open(drawer.peek()?.kind === "explain" ? null : { kind: "explain" });
}

/** Switch between NQL as Nexthink has it and all that Muster reads, and look at the text again. */
export function toggleStrict(): void {
  setStrict(!strict.peek());
  say(strict.peek() ? "Nexthink only: what is Muster's own in NQL is refused" : "All of NQL as Muster reads it");
  if (view) lookAgain(view);
}

function goTo(problem: Problem): void {
  view?.dispatch({ selection: { anchor: problem.from, head: problem.to }, scrollIntoView: true });
  view?.focus();
}

function Tools() {
  return (
    <div class="tools" role="toolbar" aria-label="Query tools">
      <Menu
        label="Examples"
        look="quiet"
        align="end"
        wide
        entries={EXAMPLES.map(({ title, text: query }) => ({ label: title, pick: () => void runText(query) }))}
        face={<Face icon={Lightbulb}>Examples</Face>}
      />
      <Menu
        label="Recent queries"
        look="quiet"
        align="end"
        wide
        entries={recents}
        empty="Queries you run are listed here, in this browser only."
        face={<Face icon={History}>Recent</Face>}
      />
      <Button look="quiet" icon={AlignLeft} label="Lay out (Shift Alt F)" onClick={() => view && void format(view, say)} />
      <Button look="quiet" icon={MessageSquareText} label="Explain (Shift Alt E)" onClick={explain}>
        <span class="tool-word">Explain</span>
      </Button>
      <Button look="quiet" icon={Link} label="Copy a link to this page" onClick={() => void copyText(location.href, "the link")} />
      <Button look="quiet" icon={ListVideo} label="Recent runs" onClick={() => open({ kind: "runs" })}>
        <span class="tool-word">Runs</span>
      </Button>
      <Button look="quiet" icon={Ruler} label="Nexthink only (Shift Alt N): refuse what is Muster's own" pressed={strict.value} onClick={toggleStrict}>
        <span class="tool-word">Nexthink only</span>
      </Button>
      <Button look="primary" icon={Play} class="run" disabled={text.value.trim() === ""} onClick={() => void run()}>
        Run <kbd>Ctrl ↵</kbd>
      </Button>
    </div>
  );
}

function Face({ icon, children }: { icon: typeof Lightbulb; children: string }) {
  return (
    <>
      <Icon node={icon} />
      <span class="tool-word">{children}</span>
      <Icon node={ChevronDown} size={14} />
    </>
  );
}

function recents(): Entry[] {
  return recent()
    .slice(0, 20)
    .map(({ text: query, at }) => ({
      label: query.replace(/\s+/g, " "),
      note: moment(at, accountZone).slice(0, -3),
      mono: true,
      pick: () => (text.value = query),
    }));
}
