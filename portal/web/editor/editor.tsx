/**
 * The NQL editor as a component: CodeMirror with our language, completion and diagnostics.
 *
 * Comes in: the text to hold and what to call. Goes out: changes, findings, the wish to run. Invariant: CodeMirror owns the
 * text while it is typed; a text from outside replaces it only when it differs (so the cursor stays). Its styles carry the
 * page's nonce, because the content security policy allows no others.
 */
import { closeBrackets, closeBracketsKeymap, closeCompletion, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { EditorState, Prec, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers, placeholder, tooltips } from "@codemirror/view";
import type { Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { nonce } from "../api/boot";
import { completion, takeChoice } from "./complete";
import { diagnostics, problems, type Problem } from "./diagnose";
import { fixes } from "./fixes";
import { format } from "./format";
import { hovering } from "./hover";
import { nql } from "./language";
import { pinned } from "./pinned";
import { typeOver } from "./type_over";

interface Props {
  text: Signal<string>;
  strict: () => boolean;
  onText: (text: string) => void;
  onProblems: (found: Problem[]) => void;
  onRun: () => void;
  onExplain: () => void;
  onStrict: () => void;
  onSay: (text: string) => void;
  onReady: (view: EditorView) => void;
}

export function Editor(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const floats = useRef<HTMLDivElement>(null);
  const current = useRef(props);
  current.current = props;
  useEffect(() => {
    const made = new EditorView({
      parent: host.current as HTMLElement,
      state: EditorState.create({ doc: props.text.peek(), extensions: extensions(() => current.current, floats.current as HTMLElement) }),
    });
    props.onReady(made);
    /* by subscription, not by rendering: a rendering comes late, and would put an older text back while one types */
    const stop = props.text.subscribe((text) => replaceText(made, text));
    return () => (stop(), made.destroy());
  }, []);
  return (
    <div class="editor">
      <div class="editor-host" ref={host} />
      <div ref={floats} />
    </div>
  );
}

/** Put a text in place of the whole, if it is another one; can be undone. */
export function replaceText(view: EditorView, text: string): void {
  const now = view.state.doc.toString();
  if (now === text) return;
  view.dispatch({ changes: { from: 0, to: now.length, insert: text }, selection: { anchor: text.length } });
}

function extensions(props: () => Props, floats: HTMLElement): Extension[] {
  const run = (view: EditorView) => (closeCompletion(view), props().onRun(), true);
  return [
    Prec.highest(
      keymap.of([
        { key: "Mod-Enter", run },
        { key: "Tab", run: takeChoice },
        { key: "Ctrl-Space", run: startCompletion },
        { key: "Shift-Alt-f", run: (view) => (void format(view, props().onSay), true) },
        { key: "Shift-Alt-e", run: () => (props().onExplain(), true) },
        { key: "Shift-Alt-n", run: () => (props().onStrict(), true) },
      ]),
    ),
    keymap.of([...closeBracketsKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
    lineNumbers(),
    history(),
    drawSelection(),
    highlightSpecialChars(),
    highlightActiveLine(),
    bracketMatching(),
    closeBrackets(),
    typeOver(),
    EditorView.lineWrapping,
    EditorView.cspNonce.of(nonce()),
    EditorView.contentAttributes.of({ "aria-label": "NQL query", spellcheck: "false", autocapitalize: "off" }),
    placeholder("Ask in NQL, for example: devices | list name, operating_system.name"),
    tooltips({ parent: floats }),
    nql(),
    completion(() => props().strict()),
    diagnostics(() => props().strict()),
    pinned(),
    hovering(),
    fixes(() => props().onSay("There is nothing to fix")),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) props().onText(update.state.doc.toString());
      if (update.docChanged || update.transactions.some((one) => one.effects.length > 0)) {
        props().onProblems(problems(update.state));
      }
    }),
  ];
}
