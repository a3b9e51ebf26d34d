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
      const range = event.getTargetRanges()[0]; /* what is selected on the page; the editor may not have heard of it yet */
      if (event.inputType !== "insertText" || !text || !range || view.composing || event.isComposing) return false;
      if (view.state.selection.ranges.length > 1 || view.state.readOnly) return false;
      const from = view.posAtDOM(range.startContainer, range.startOffset);
      const to = view.posAtDOM(range.endContainer, range.endOffset);
      if (from >= to) return false;
      const change = { changes: { from, to, insert: text }, selection: { anchor: from + text.length } };
      const insert = () => view.state.update(change, { userEvent: "input.type", scrollIntoView: true });
      const handled = view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert));
      if (!handled) view.dispatch(insert());
      event.preventDefault();
      return true;
    },
  });
}
