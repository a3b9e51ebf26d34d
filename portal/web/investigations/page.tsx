/**
 * The Investigations page: editor above, rows below, drawer at the right.
 *
 * Holds what is about the page as a whole: keys that work everywhere, the palette, the zones on offer, the height of the
 * editor. Invariant: a key that types into a field is never taken away from it.
 */
import { useEffect, useState } from "preact/hooks";
import { RunDrawer } from "../actions/run_drawer";
import { RunForm } from "../actions/run_form";
import { RunList } from "../actions/run_list";
import { boot } from "../api/boot";
import { LEAVING } from "../api/client";
import { show as showProblems } from "../editor/diagnose";
import { KeysDrawer } from "../parts/keys";
import type { Entry } from "../parts/menu";
import { Palette } from "../parts/palette";
import { Shell } from "../parts/shell";
import { Splitter } from "../parts/splitter";
import { Toasts } from "../parts/toast";
import { here, zoneOffset } from "../values/times";
import { takeAlong } from "./address";
import { again, runText, setLive, show } from "./ask";
import { EditorPane, editorView, focusEditor } from "./editor_pane";
import { ExplainDrawer } from "./explain";
import { commands } from "./palette";
import { Results } from "./results";
import { RowDrawer } from "./row_drawer";
import { accountZone, asked, chosenDevices, chosenZone, drawer, following, keep, open, outcome, result, selected, text, zone } from "./state";
import { StatusLine } from "./status";

export function Page() {
  const [palette, setPalette] = useState(false);
  useEffect(() => start(() => setPalette(true)), []);
  useEffect(() => {
    const now = outcome.value;
    const view = editorView();
    if (now.kind === "failed" && view && text.value === asked.value) showProblems(view, now.failure.diagnostics);
  }, [outcome.value]);
  return (
    <Shell
      room="Investigations"
      zone={zone.value}
      zones={zones}
      onPalette={() => setPalette(true)}
      onKeys={() => open({ kind: "keys" })}
    >
      <main class={drawer.value ? "work has-drawer" : "work"}>
        <div class="investigation">
          <EditorPane />
          <Splitter label="Height of the editor" name="investigations.editor" initial={168} least={96} most={640} />
          <StatusLine />
          <Results />
        </div>
        <OpenDrawer />
      </main>
      {palette && <Palette commands={() => commands(focusEditor)} onClose={() => setPalette(false)} />}
      <Toasts />
    </Shell>
  );
}

function OpenDrawer() {
  const now = drawer.value;
  const found = result.value;
  const close = () => open(null);
  if (now?.kind === "row") return found ? <RowDrawer result={found} row={now.row} /> : null;
  if (now?.kind === "keys") return <KeysDrawer onClose={close} />;
  if (now?.kind === "explain") return <ExplainDrawer onClose={close} />;
  if (now?.kind === "runs") {
    return <RunList zone={zone.value} onOpen={(id) => open({ kind: "run", id })} onClose={close} />;
  }
  if (now?.kind === "run") {
    return (
      <RunDrawer
        key={now.id}
        id={now.id}
        zone={zone.value}
        onBack={() => open({ kind: "runs" })}
        onQuery={(query) => void runText(query)}
        onClose={close}
      />
    );
  }
  if (now?.kind !== "act" || chosenDevices.value.length === 0) return null;
  const all = found !== null && selected.value.size === found.rows.length;
  return (
    <RunForm
      zone={zone.value}
      devices={chosenDevices.value}
      query={all ? asked.value : null}
      truncated={found?.truncated ?? false}
      onStarted={(id) => open({ kind: "run", id })}
      onClose={close}
    />
  );
}

function zones(): Entry[] {
  const known = new Map([
    [accountZone, "yours"],
    [boot.zone, "of the portal"],
    ["UTC", ""],
    [here(), "of this browser"],
  ]);
  const entry = (name: string, note: string): Entry => ({
    label: name,
    note: [note, zoneOffset(name)].filter(Boolean).join(", "),
    checked: name === zone.value,
    pick: () => setZone(name),
  });
  const few = [...known].map(([name, note]) => entry(name, name === accountZone ? "yours" : note));
  const rest = Intl.supportedValuesOf("timeZone").filter((name) => !known.has(name));
  return [...few, { label: "All zones", heading: true }, ...rest.map((name) => entry(name, ""))];
}

function setZone(name: string): void {
  chosenZone.value = name === accountZone ? null : name;
  keep();
  void again();
}

function start(openPalette: () => void): () => void {
  const onPop = () => void show();
  const onLeave = () => keep();
  const onSignIn = () => (keep(), takeAlong());
  const onKey = (event: KeyboardEvent) => pageKey(event, openPalette);
  addEventListener("popstate", onPop);
  addEventListener("pagehide", onLeave);
  addEventListener(LEAVING, onSignIn);
  addEventListener("keydown", onKey);
  if (location.hash === "") focusEditor();
  void show();
  return () => {
    removeEventListener("popstate", onPop);
    removeEventListener("pagehide", onLeave);
    removeEventListener(LEAVING, onSignIn);
    removeEventListener("keydown", onKey);
  };
}

function pageKey(event: KeyboardEvent, openPalette: () => void): void {
  if (event.defaultPrevented) return;
  const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, [contenteditable]") !== null;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") openPalette();
  else if (event.shiftKey && event.altKey && event.code === "KeyL" && asked.peek()) setLive(!following.peek());
  else if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === "?") open({ kind: "keys" });
  else if (event.key === "/") focusEditor();
  else if (event.key === "Escape" && drawer.value) open(null);
  else return;
  event.preventDefault();
}
