/**
 * Completion: asks the portal what may stand at the cursor and shows kind, type and description of each candidate.
 *
 * Invariant: an answer to an older text is never shown; the request is aborted as soon as typing goes on. Which
 * candidates fit, and their order, is the portal's decision alone.
 */
import { acceptCompletion, autocompletion, completionStatus, type Completion as Option, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { isAbort, json } from "../api/client";
import type { Completion, CompletionItem } from "../api/wire";
import grammar from "./grammar.json";
import { described } from "./hover";
import { toCharacters, toUnits } from "./spans";

/* A word being typed, or the space behind something that cannot be the end. */
const OPENS = new RegExp(`(?:[A-Za-z_#$.]\\w*|(?:[|,=<>[]|\\b(?:${grammar.openers.join("|")}))\\s+)$`, "i");
const IN_TEXT = /^(?:[^"']|"[^"]*"|'[^']*')*(?:"[^"]*|'[^']*)$/;

interface NqlOption extends Option {
  kind: string;
  ours: boolean;
}

const LOOKS = 40;
const BETWEEN_LOOKS = 25; // milliseconds

/** Takes the chosen candidate. While an answer is on its way, the choice is taken when it is there, so that a quick
 * hand puts no blank in its place; false where nothing is offered. */
export function takeChoice(view: EditorView): boolean {
  if (acceptCompletion(view)) return true;
  if (completionStatus(view.state) === null) return false;
  const typed = view.state.doc;
  let looks = LOOKS;
  const again = () => {
    if (view.state.doc !== typed || completionStatus(view.state) === null || acceptCompletion(view) || --looks === 0) return;
    setTimeout(again, BETWEEN_LOOKS);
  };
  setTimeout(again, BETWEEN_LOOKS);
  return true;
}

/** The candidates at the cursor; null where nothing should pop up by itself. */
export async function candidates(context: CompletionContext, strict: boolean): Promise<CompletionResult | null> {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  if (!context.explicit && !OPENS.test(before) && !IN_TEXT.test(before)) return null;
  const text = context.state.doc.toString();
  const abort = new AbortController();
  context.addEventListener("abort", () => abort.abort());
  try {
    const body = { text, offset: toCharacters(text, context.pos) };
    const found = await json<Completion>("/nql/complete", { body, signal: abort.signal });
    const items = found.items.filter(({ ours }) => !(strict && ours));
    if (context.aborted || items.length === 0) return null;
    return {
      from: toUnits(text, found.span.start),
      to: toUnits(text, found.span.end),
      options: items.map((item, index) => option(item, items.length - index)),
      filter: false,
    };
  } catch (error) {
    if (!isAbort(error)) console.debug("completion failed", error);
    return null;
  }
}

function option(item: CompletionItem, boost: number): NqlOption {
  const { label, kind, insert: apply, ours } = item;
  const detail = item.detail === kind ? "" : item.detail;
  const shown: NqlOption = { label, detail, kind, ours, apply, boost: boost / 1e6 };
  if (item.doc) shown.info = () => described({ title: label, detail, doc: item.doc });
  return shown;
}

function kindMark(completion: Option): Node {
  const mark = document.createElement("span");
  const { kind } = completion as NqlOption;
  mark.className = `kind kind-${kind.replaceAll(/[^a-z]/g, "-")}`;
  mark.textContent = kind;
  return mark;
}

function oursMark(completion: Option): Node | null {
  if (!(completion as NqlOption).ours) return null;
  const mark = document.createElement("span");
  mark.className = "ours";
  mark.textContent = "Muster";
  return mark;
}

/** Completion as an editor extension; where it is `strict`, nothing is offered that is not in NQL itself. */
export function completion(strict: () => boolean): Extension {
  return autocompletion({
    override: [(context) => candidates(context, strict())],
    icons: false,
    activateOnTypingDelay: 80,
    maxRenderedOptions: 100,
    addToOptions: [
      { render: oursMark, position: 85 },
      { render: kindMark, position: 90 },
    ],
    activateOnCompletion: (picked) => /[.\s(]$/.test(typeof picked.apply === "string" ? picked.apply : ""),
  });
}
