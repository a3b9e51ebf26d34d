/**
 * One tooltip that stays until it is closed: opened by a key, unlike those that follow the pointer.
 *
 * Invariant: at most one is open; it goes when the text changes, by Esc, and when whoever opened it says so.
 */
import { type Extension, StateEffect, StateField } from "@codemirror/state";
import { type EditorView, keymap, showTooltip, type Tooltip } from "@codemirror/view";

const put = StateEffect.define<Tooltip | null>();

const shown = StateField.define<Tooltip | null>({
  create: () => null,
  update(now, transaction) {
    for (const effect of transaction.effects) if (effect.is(put)) return effect.value;
    return transaction.docChanged || transaction.selection ? null : now;
  },
  provide: (field) => showTooltip.from(field),
});

/** Pinned tooltips as an editor extension. */
export function pinned(): Extension {
  return [shown, keymap.of([{ key: "Escape", run: unpin }])];
}

/** Open a tooltip with the cursor at a place. */
export function pin(view: EditorView, tooltip: Tooltip, anchor: number): void {
  view.dispatch({ selection: { anchor }, effects: put.of(tooltip), scrollIntoView: true });
}

/** Close the tooltip; whether one was open. */
export function unpin(view: EditorView): boolean {
  if (!view.state.field(shown, false)) return false;
  view.dispatch({ effects: put.of(null) });
  return true;
}
