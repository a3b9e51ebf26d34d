/**
 * Fixes by keyboard: Ctrl-. (Cmd-.) lists what can be done about the problem at the cursor, or the next one that has a fix.
 *
 * Invariant: the list stands at the problem it is about and goes when the text changes or the focus leaves; a choice is
 * the same edit that the problem's own button makes.
 */
import type { Extension } from "@codemirror/state";
import { type EditorView, keymap } from "@codemirror/view";
import { type Problem, problems } from "./diagnose";
import { pin, unpin } from "./pinned";

/** Fixes by keyboard as an editor extension; `onNothing` hears that there is nothing to fix. */
export function fixes(onNothing: () => void): Extension {
  return keymap.of([{ key: "Mod-.", run: (view) => offer(view, onNothing) }]);
}

function offer(view: EditorView, onNothing: () => void): boolean {
  const at = view.state.selection.main.head;
  const fixable = problems(view.state).filter((problem) => problem.fixes.length > 0);
  const here = fixable.find((one) => one.from <= at && at <= one.to) ?? fixable.find((one) => one.from >= at) ?? fixable[0];
  if (!here) {
    onNothing();
    return true;
  }
  pin(view, { pos: here.from, above: false, create: () => list(view, here) }, here.from);
  return true;
}

function list(view: EditorView, problem: Problem) {
  const dom = document.createElement("div");
  dom.className = "fix-list";
  dom.setAttribute("role", "menu");
  dom.setAttribute("aria-label", problem.message);
  const close = () => (unpin(view), view.focus());
  for (const fix of problem.fixes) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "menuitem");
    button.textContent = fix.title;
    button.addEventListener("click", () => (close(), fix.apply(view)));
    dom.append(button);
  }
  dom.addEventListener("keydown", (event) => moved(event, dom, close));
  dom.addEventListener("focusout", (event) => {
    if (!dom.contains(event.relatedTarget as Node | null)) queueMicrotask(() => dom.isConnected && unpin(view));
  });
  return { dom, mount: () => requestAnimationFrame(() => dom.querySelector("button")?.focus()) };
}

function moved(event: KeyboardEvent, dom: HTMLElement, close: () => void): void {
  const buttons = [...dom.querySelectorAll("button")];
  const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) buttons[(now + step + buttons.length) % buttons.length]?.focus();
  else if (event.key === "Escape" || event.key === "Tab") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
