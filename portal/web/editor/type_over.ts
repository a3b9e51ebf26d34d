/**
 * Typing over a selection, done by the editor instead of the browser.
 *
 * A browser that replaces coloured text by typed text keeps the old colour with an inline style, which the content
 * security policy forbids and reports. Invariant: handlers of typed text (closing brackets) still get their say first;
 * composed input (accents, input methods) is left to the browser.
 */
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

/** The extension. */
export function typeOver(): Extension {
  return EditorView.domEventHandlers({
    beforeinput(event, view) {
      const text = event.data;
      if (event.inputType !== "insertText" || !text || view.composing || event.isComposing) return false;
      if (view.state.selection.ranges.length > 1 || view.state.readOnly) return false;
      const { from, to } = selected(view);
      if (from === to) return false;
      const change = { changes: { from, to, insert: text }, selection: { anchor: from + text.length } };
      const insert = () => view.state.update(change, { userEvent: "input.type", scrollIntoView: true });
      const handled = view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert));
      if (!handled) view.dispatch(insert());
      event.preventDefault();
      return true;
    },
  });
}

/* What is selected: as the editor knows it, or as the page has it where the editor has not heard of it yet. */
function selected(view: EditorView): { from: number; to: number } {
  const known = view.state.selection.main;
  const { anchorNode, anchorOffset = 0, focusNode, focusOffset = 0 } = document.getSelection() ?? {};
  if (!known.empty || !anchorNode || !focusNode) return known;
  if (!view.contentDOM.contains(anchorNode) || !view.contentDOM.contains(focusNode)) return known;
  const ends = [view.posAtDOM(anchorNode, anchorOffset), view.posAtDOM(focusNode, focusOffset)];
  return { from: Math.min(...ends), to: Math.max(...ends) };
}
