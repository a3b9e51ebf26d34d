/**
 * Diagnostics as one types: what the portal finds in the text, underlined in place, with hint and one-click fixes.
 *
 * Invariant: positions always fit the text they are shown in; an answer to an older text is dropped by the linter. The
 * same findings go to `onFound` for the line below the editor.
 */
import { type Action, type Diagnostic as Mark, forEachDiagnostic, linter, setDiagnostics } from "@codemirror/lint";
import { type EditorState, type Extension, StateEffect } from "@codemirror/state";
import type { EditorView, ViewUpdate } from "@codemirror/view";
import { isAbort, json } from "../api/client";
import type { Diagnostic } from "../api/wire";
import { toUnits } from "./spans";

const PAUSE = 250;

interface Found extends Mark {
  code: string;
  hint: string;
}

/** A finding where it now stands in the text, with its fixes ready to apply. */
export interface Problem {
  from: number;
  to: number;
  severity: string;
  code: string;
  message: string;
  hint: string;
  fixes: { title: string; apply: (view: EditorView) => void }[];
}

const again = StateEffect.define<null>();

/** Look at the text once more although it is the same. */
export function lookAgain(view: EditorView): void {
  view.dispatch({ effects: again.of(null) });
}

/** Diagnostics as an editor extension; `strict` says whether what is not in NQL itself is refused. */
export function diagnostics(strict: () => boolean): Extension {
  let asked: AbortController | null = null;
  const ask = async (view: EditorView): Promise<Mark[]> => {
    asked?.abort();
    asked = new AbortController();
    const text = view.state.doc.toString();
    if (text.trim() === "") return [];
    try {
      const answer = await json<{ diagnostics: Diagnostic[] }>("/nql/diagnose", { body: { text, ...(strict() && { strict: "nexthink" }) }, signal: asked.signal });
      return marks(text, answer.diagnostics);
    } catch (error) {
      if (!isAbort(error)) console.debug("diagnose failed", error);
      return [];
    }
  };
  const asks = (update: ViewUpdate) => update.transactions.some(({ effects }) => effects.some((effect) => effect.is(again)));
  return linter(ask, { delay: PAUSE, needsRefresh: asks });
}

/** Show findings that came with a refused query. */
export function show(view: EditorView, found: readonly Diagnostic[]): void {
  view.dispatch(setDiagnostics(view.state, marks(view.state.doc.toString(), found)));
}

/** What is marked in the text now, in text order. */
export function problems(state: EditorState): Problem[] {
  const found: Problem[] = [];
  forEachDiagnostic(state, (mark, from, to) => {
    const { code = "", hint = "" } = mark as Found;
    const fixes = (mark.actions ?? []).map((action) => ({
      title: action.name,
      apply: (view: EditorView) => action.apply(view, from, to),
    }));
    found.push({ from, to, severity: mark.severity, code, message: mark.message, hint, fixes });
  });
  return found.sort((a, b) => a.from - b.from);
}

function marks(text: string, found: readonly Diagnostic[]): Found[] {
  return found.map((diagnostic) => {
    const from = toUnits(text, diagnostic.span.start);
    const to = Math.max(from, toUnits(text, diagnostic.span.end));
    return {
      from,
      to,
      severity: diagnostic.severity,
      code: diagnostic.code,
      hint: diagnostic.hint,
      message: diagnostic.message,
      renderMessage: () => rendered(diagnostic),
      actions: diagnostic.fixes.map((fix) => {
        const start = toUnits(text, fix.span.start) - from;
        const end = toUnits(text, fix.span.end) - from;
        return fixAction(fix.title, start, end, fix.replacement);
      }),
    };
  });
}

function fixAction(name: string, start: number, end: number, insert: string): Action {
  return {
    name,
    apply: (view, from) => {
      const within = (position: number) => Math.max(0, Math.min(position, view.state.doc.length));
      const change = { from: within(from + start), to: within(from + end), insert };
      view.dispatch({ changes: change, selection: { anchor: change.from + insert.length }, userEvent: "input.fix" });
      view.focus();
    },
  };
}

function rendered(diagnostic: Diagnostic): Node {
  const box = document.createElement("div");
  box.className = "finding";
  const line = document.createElement("p");
  line.textContent = diagnostic.message;
  box.append(line);
  if (diagnostic.hint) {
    const hint = document.createElement("p");
    hint.className = "finding-hint";
    hint.textContent = diagnostic.hint;
    box.append(hint);
  }
  const code = document.createElement("span");
  code.className = "finding-code";
  code.textContent = diagnostic.code;
  box.append(code);
  return box;
}
