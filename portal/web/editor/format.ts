/**
 * The layout of a query: the portal's, with the cursor kept at the word it was at.
 *
 * Invariant: a text that changed while the portal worked is left alone; one that cannot be read is, too, and that is said.
 */
import type { EditorView } from "@codemirror/view";
import { asFailure, json } from "../api/client";
import { problems } from "./diagnose";

/** Lay the text out; `say` hears why not. */
export async function format(view: EditorView, say: (text: string) => void): Promise<void> {
  const { doc } = view.state;
  const before = doc.toString();
  if (before.trim() === "") return;
  try {
    const { text } = await json<{ text: string }>("/nql/format", { body: { text: before } });
    if (view.state.doc !== doc) return;
    if (text === before) {
      if (problems(view.state).some((problem) => problem.severity === "error")) say("Mend the query first, then it can be laid out");
      return;
    }
    const anchor = sameplace(before, view.state.selection.main.head, text);
    view.dispatch({ changes: { from: 0, to: doc.length, insert: text }, selection: { anchor }, userEvent: "input.format" });
  } catch (error) {
    say(asFailure(error).message);
  }
}

/** The place in a text laid out that has as much of the query before it, white space aside. */
function sameplace(before: string, at: number, after: string): number {
  let left = before.slice(0, at).replace(/\s+/g, "").length;
  let place = 0;
  for (; place < after.length && left > 0; place++) if (!/\s/.test(after.charAt(place))) left--;
  const atWord = /\S/.test(before.charAt(at));
  while (atWord && /\s/.test(after.charAt(place))) place++;
  return place;
}
