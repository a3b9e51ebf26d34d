/**
 * What Ctrl-K offers on this page: places, queries, the theme, signing out.
 */
import { Clock, Keyboard, ListVideo, LogOut, MessageSquareText, Monitor, Moon, Play, Radio, Ruler, SquareTerminal, Sun } from "lucide";
import type { Command } from "../parts/palette";
import { signOut } from "../parts/shell";
import { choose } from "../parts/theme";
import { runText, setLive } from "./ask";
import { EXAMPLES } from "./examples";
import { toggleStrict } from "./editor_pane";
import { recent } from "./recent";
import { asked, following, open } from "./state";
import { strict } from "./strict";

/** The commands as they are now; `focusEditor` puts the cursor into the query. */
export function commands(focusEditor: () => void): Command[] {
  return [
    { group: "Go to", label: "Query editor", icon: SquareTerminal, run: focusEditor },
    { group: "Go to", label: "What this query asks", icon: MessageSquareText, run: () => open({ kind: "explain" }) },
    { group: "Go to", label: "Recent runs", icon: ListVideo, run: () => open({ kind: "runs" }) },
    { group: "Go to", label: "Keyboard shortcuts", icon: Keyboard, run: () => open({ kind: "keys" }) },
    {
      group: "Query",
      label: strict.peek() ? "Allow all of NQL, Muster's own too" : "Nexthink only: refuse what is Muster's own",
      icon: Ruler,
      run: toggleStrict,
    },
    ...(asked.peek() ? [toggleLive()] : []),
    ...EXAMPLES.map(({ title, text }) => ({ group: "Examples", label: title, icon: Play, run: () => void runText(text) })),
    ...recent()
      .slice(0, 10)
      .map(({ text }) => ({
        group: "Recent queries",
        label: text.replace(/\s+/g, " "),
        icon: Clock,
        mono: true,
        run: () => void runText(text),
      })),
    { group: "Theme", label: "Theme: as the system", icon: Monitor, run: () => choose("system") },
    { group: "Theme", label: "Theme: light", icon: Sun, run: () => choose("light") },
    { group: "Theme", label: "Theme: dark", icon: Moon, run: () => choose("dark") },
    { group: "Account", label: "Sign out", icon: LogOut, run: () => void signOut() },
  ];
}

function toggleLive(): Command {
  const on = following.peek();
  return { group: "Query", label: on ? "Live off: leave the rows as they are" : "Live: keep the rows up to date", icon: Radio, run: () => setLive(!on) };
}
