/**
 * A button that opens a short list below itself: arrows move, Enter picks, Esc or a click elsewhere closes.
 *
 * Comes in: the button's face and the entries. Invariant: focus goes into the list when it opens and back to the button
 * when it closes by key, so that nobody loses their place.
 */
import type { ComponentChildren } from "preact";
import type { IconNode } from "lucide";
import { Check } from "lucide";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icon";

export interface Entry {
  label: string;
  note?: string;
  icon?: IconNode;
  checked?: boolean;
  heading?: boolean;
  mono?: boolean;
  pick?: () => void;
}

interface Props {
  label: string;
  face: ComponentChildren;
  entries: Entry[] | (() => Entry[]);
  look?: "plain" | "quiet";
  align?: "start" | "end";
  up?: boolean;
  wide?: boolean;
  empty?: string;
}

export function Menu(props: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const typed = useRef({ letters: "", at: 0 });
  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    items(root.current)[0]?.focus();
    const away = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const entries = open ? (typeof props.entries === "function" ? props.entries() : props.entries) : [];
  return (
    <div class="menu" ref={root} onKeyDown={(event) => open && keys(event, root.current, close, typed.current)}>
      <button
        ref={button}
        type="button"
        class={`button button-${props.look ?? "plain"}`}
        aria-haspopup="menu"
        aria-expanded={open}
        title={props.label}
        onClick={() => setOpen(!open)}
      >
        <span class="unseen">{props.label}: </span>
        {props.face}
      </button>
      {open && (
        <div
          class={`menu-list menu-${props.align ?? "start"}${props.up ? " menu-up" : ""}${props.wide ? " menu-wide" : ""}`}
          role="menu"
          aria-label={props.label}
        >
          {entries.length === 0 && <p class="menu-empty">{props.empty ?? "Nothing here yet."}</p>}
          {entries.map((entry, index) => (
            <MenuEntry key={index} entry={entry} onPick={() => (close(true), entry.pick?.())} />
          ))}
        </div>
      )}
    </div>
  );
}

function MenuEntry({ entry, onPick }: { entry: Entry; onPick: () => void }) {
  if (entry.heading) {
    return (
      <p class="menu-heading" role="presentation">
        {entry.label}
      </p>
    );
  }
  const choice = entry.checked !== undefined;
  return (
    <button
      type="button"
      class="menu-entry"
      role={choice ? "menuitemradio" : "menuitem"}
      aria-checked={choice ? entry.checked : undefined}
      tabIndex={-1}
      onClick={onPick}
    >
      {entry.icon && <Icon node={entry.icon} />}
      <span class={entry.mono ? "menu-label mono" : "menu-label"}>{entry.label}</span>
      {entry.note && <span class="menu-note">{entry.note}</span>}
      {choice && <Icon node={Check} class={entry.checked ? "" : "hidden"} />}
    </button>
  );
}

function items(root: HTMLElement | null): HTMLElement[] {
  return [...(root?.querySelectorAll<HTMLElement>(".menu-entry") ?? [])];
}

/* Letters typed quickly one after another are one word to look for. */
function find(all: HTMLElement[], event: KeyboardEvent, typed: Typed): void {
  typed.letters = (event.timeStamp - typed.at < 800 ? typed.letters : "") + event.key.toLowerCase();
  typed.at = event.timeStamp;
  const texts = all.map((one) => one.textContent?.toLowerCase() ?? "");
  const starts = texts.findIndex((text) => text.startsWith(typed.letters));
  all[starts >= 0 ? starts : texts.findIndex((text) => text.includes(typed.letters))]?.focus();
}

interface Typed {
  letters: string;
  at: number;
}

function keys(event: KeyboardEvent, root: HTMLElement | null, close: (refocus: boolean) => void, typed: Typed): void {
  const all = items(root);
  const at = all.indexOf(document.activeElement as HTMLElement);
  const to = (index: number) => all[(index + all.length) % all.length]?.focus();
  if (event.key === "Escape") close(true);
  else if (event.key === "Tab") return close(false);
  else if (event.key === "ArrowDown") to(at + 1);
  else if (event.key === "ArrowUp") to(at - 1);
  else if (event.key === "Home") to(0);
  else if (event.key === "End") to(all.length - 1);
  else if (/^[\w/]$/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) find(all, event, typed);
  else return;
  event.preventDefault();
  event.stopPropagation();
}
