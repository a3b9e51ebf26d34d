/**
 * The command palette: type a few letters, pick with arrows and Enter.
 *
 * Comes in: commands. Invariant: a native modal dialog, so that focus stays inside and returns by itself; letters match in
 * order anywhere in a label.
 */
import type { IconNode } from "lucide";
import { Search } from "lucide";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icon";

export interface Command {
  group: string;
  label: string;
  icon: IconNode;
  mono?: boolean;
  run: () => void;
}

interface Props {
  commands: () => Command[];
  onClose: () => void;
}

export function Palette({ commands, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [all] = useState(commands);
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const found = matching(all, typed);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  useEffect(() => {
    dialog.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [at, typed]);
  const pick = (command: Command | undefined) => {
    if (!command) return;
    dialog.current?.close();
    command.run();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt((at + 1) % Math.max(1, found.length));
    else if (event.key === "ArrowUp") setAt((at - 1 + found.length) % Math.max(1, found.length));
    else if (event.key === "Enter") pick(found[at]);
    else return;
    event.preventDefault();
  };
  return (
    <dialog
      class="palette"
      ref={dialog}
      aria-label="Command palette"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="palette-box" onKeyDown={keys}>
        <div class="palette-search">
          <Icon node={Search} />
          <input
            type="text"
            role="combobox"
            aria-label="Search commands"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant={found.length > 0 ? `palette-${at}` : undefined}
            placeholder="Go to, run an example, change the theme…"
            value={typed}
            onInput={(event) => (setTyped(event.currentTarget.value), setAt(0))}
          />
          <kbd>Esc</kbd>
        </div>
        <div class="palette-list" id="palette-list" role="listbox" aria-label="Commands" tabIndex={-1}>
          {found.length === 0 && <p class="menu-empty">No command matches “{typed}”.</p>}
          {found.map((command, index) => (
            <div key={command.group + command.label} role="presentation">
              {command.group !== found[index - 1]?.group && (
                <p class="menu-heading" role="presentation">
                  {command.group}
                </p>
              )}
              <div
                id={`palette-${index}`}
                class="palette-entry"
                role="option"
                aria-selected={index === at}
                onMouseMove={() => index !== at && setAt(index)}
                onClick={() => pick(command)}
              >
                <Icon node={command.icon} />
                <span class={command.mono ? "menu-label mono" : "menu-label"}>{command.label}</span>
              </div>
            </div>
          ))}
        </div>
      </div>
    </dialog>
  );
}

function matching(all: Command[], typed: string): Command[] {
  const letters = [...typed.toLowerCase().replaceAll(" ", "")];
  if (letters.length === 0) return all;
  const whole = typed.trim().toLowerCase();
  const direct = all.filter(({ label, group }) => `${group} ${label}`.toLowerCase().includes(whole));
  if (direct.length > 0) return direct;
  return all.filter(({ label }) => {
    let from = 0;
    const text = label.toLowerCase();
    return letters.every((letter) => (from = text.indexOf(letter, from) + 1) > 0);
  });
}
