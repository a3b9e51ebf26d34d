/**
 * Rows as text for the clipboard: tab-separated with a header, exact values, so that a spreadsheet takes them.
 */
import type { QueryResult, Value } from "../api/wire";
import { plural } from "../values/text";
import { say } from "../parts/toast";

/** The given rows, in the given order, as tab-separated text. */
export function tabbed(result: QueryResult, rows: Iterable<number>): string {
  const lines = [result.columns.map((column) => column.name).join("\t")];
  for (const row of rows) lines.push((result.rows[row] ?? []).map(plain).join("\t"));
  return lines.join("\n");
}

function plain(value: Value): string {
  if (value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.replace(/[\t\r\n]+/g, " ");
}

/** Put text on the clipboard and say so. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}`);
  } catch {
    say("The browser did not allow copying", { bad: true });
  }
}

/** Copy the selected rows as they are ordered on the screen. */
export async function copyRows(result: QueryResult, selected: ReadonlySet<number>, order: Uint32Array): Promise<void> {
  const rows = [...order].filter((row) => selected.has(row));
  await copyText(tabbed(result, rows), plural(rows.length, "row"));
}
