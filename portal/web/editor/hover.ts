/**
 * What a word means, beside the pointer that rests on it or by key at the cursor: its name, its type, its description.
 *
 * Invariant: an answer to an older text is never shown; a word that is marked as wrong shows what is wrong instead, which
 * is the linter's matter.
 */
import { forEachDiagnostic } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import { type EditorView, hoverTooltip, keymap, type Tooltip } from "@codemirror/view";
import { isAbort, json } from "../api/client";
import type { Hover } from "../api/wire";
import { pin } from "./pinned";
import { toCharacters, toUnits } from "./spans";

const REST = 350;

/** Hovering as an editor extension, by pointer and by key. */
export function hovering(): Extension {
  const byPointer = hoverTooltip((view, at) => (marked(view, at) ? null : look(view, at)), { hoverTime: REST, hideOnChange: true });
  return [byPointer, keymap.of([{ key: "Shift-Alt-h", run: (view) => (void describe(view), true) }])];
}

async function describe(view: EditorView): Promise<void> {
  const at = view.state.selection.main.head;
  const { doc } = view.state;
  const found = (await look(view, at)) ?? (at > 0 ? await look(view, at - 1) : null);
  if (found && view.state.doc === doc && view.state.selection.main.head === at) pin(view, found, at);
}

async function look(view: EditorView, at: number): Promise<Tooltip | null> {
  const { doc } = view.state;
  const text = doc.toString();
  if (text.trim() === "") return null;
  try {
    const { hover } = await json<{ hover: Hover | null }>("/nql/hover", { body: { text, offset: toCharacters(text, at) } });
    if (!hover || view.state.doc !== doc) return null;
    const [pos, end] = [toUnits(text, hover.span.start), toUnits(text, hover.span.end)];
    return { pos, end, above: true, create: () => ({ dom: boxed(hover) }) };
  } catch (error) {
    if (!isAbort(error)) console.debug("hover failed", error);
    return null;
  }
}

function marked(view: EditorView, at: number): boolean {
  let found = false;
  forEachDiagnostic(view.state, (_, from, to) => (found ||= from <= at && at <= to));
  return found;
}

function boxed(hover: Hover): HTMLElement {
  const box = document.createElement("div");
  box.className = "describing";
  box.setAttribute("role", "status"); // read out where it comes by key, since the focus stays in the text
  box.append(described(hover));
  return box;
}

/** The description of something: in a hover, and beside a suggestion. */
export function described(said: { title: string; detail: string; doc: string }): HTMLElement {
  const box = document.createElement("div");
  box.className = "described";
  const head = document.createElement("p");
  head.className = "described-head";
  head.append(element("strong", said.title), ...(said.detail ? [element("span", said.detail)] : []));
  box.append(head, ...said.doc.split("\n").filter(Boolean).map((line) => element("p", line)));
  return box;
}

function element(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
