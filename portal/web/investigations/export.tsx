/**
 * The Export menu: the whole answer of the query as a file, asked anew in the wanted form.
 *
 * Invariant: exports hold exact values and every row, not what happens to be loaded or sorted on the screen.
 */
import { ChevronDown, Download } from "lucide";
import { asFailure, send } from "../api/client";
import { Icon } from "../parts/icon";
import { type Entry, Menu } from "../parts/menu";
import { say } from "../parts/toast";
import { asked, zone } from "./state";

interface Form {
  label: string;
  note: string;
  suffix: string;
  accept: string;
}

const FORMS: readonly Form[] = [
  { label: "CSV", note: "spreadsheets", suffix: "csv", accept: "text/csv" },
  { label: "Parquet", note: "typed, compact", suffix: "parquet", accept: "application/vnd.apache.parquet" },
  { label: "Arrow", note: "typed, fast", suffix: "arrow", accept: "application/vnd.apache.arrow.stream" },
  { label: "JSON", note: "with types and window", suffix: "json", accept: "application/json" },
];
const MOST_ROWS = 100_000;

export function ExportMenu() {
  const entries: Entry[] = FORMS.map((form) => ({
    label: form.label,
    note: form.note,
    pick: () => void download(form),
  }));
  return (
    <Menu
      label="Export all rows"
      align="end"
      entries={entries}
      face={
        <>
          <Icon node={Download} />
          Export
          <Icon node={ChevronDown} size={14} />
        </>
      }
    />
  );
}

async function download({ label, suffix, accept }: Form): Promise<void> {
  try {
    const body = { text: asked.value, zone: zone.value, limit: MOST_ROWS };
    const response = await send("/query", { body, accept });
    const url = URL.createObjectURL(await response.blob());
    const link = document.createElement("a");
    link.href = url;
    link.download = `investigation-${new Date().toISOString().slice(0, 16).replaceAll(/[-:]/g, "").replace("T", "-")}.${suffix}`;
    link.click();
    URL.revokeObjectURL(url);
    if (response.headers.get("Muster-Truncated") === "true") say("The file does not hold all rows: the answer is too large", { bad: true });
    else say(`Exported as ${label}`);
  } catch (error) {
    say(asFailure(error).message, { bad: true });
  }
}
