/**
 * A question to the NXQL Web API, as an address, and what comes of it.
 *
 * Comes in: text, platforms, format, parameters. Goes out: an address; an answer as text, or what was wrong with the names
 * that could have stood there. Invariant: the browser adds name and password, which this code never sees.
 */
export const PLATFORMS = ["windows", "mac_os", "mobile", "linux"] as const;
export const FORMATS = ["csv", "json", "xml", "html"] as const;
const PARAMETERS = ["p1", "p2", "p3"] as const;
const LONGEST = 400_000;

export interface Question {
  query: string;
  platforms: string[];
  format: string;
  people: boolean;
  parameters: string[];
}

export type Answer =
  | { kind: "text"; text: string; cut: boolean; ms: number }
  | { kind: "wrong"; message: string; options: string[] };

/** The query string of a question; empty parts are left out. */
export function written(question: Question): string {
  const said = new URLSearchParams({ query: question.query, format: question.format });
  for (const platform of question.platforms) said.append("platform", platform);
  if (question.people) said.set("hr", "true");
  question.parameters.forEach((value, at) => value && said.set(`p${at + 1}`, value));
  return said.toString();
}

/** The question in the address of the page. */
export function read(search: string): Question {
  const said = new URLSearchParams(search);
  const platforms = said.getAll("platform").filter((name) => (PLATFORMS as readonly string[]).includes(name));
  const format = said.get("format") ?? "csv";
  return {
    query: said.get("query") ?? "(select (name)\n  (from device)\n  (limit 100))",
    platforms: platforms.length ? platforms : [...PLATFORMS],
    format: (FORMATS as readonly string[]).includes(format) ? format : "csv",
    people: said.get("hr") === "true",
    parameters: PARAMETERS.map((name) => said.get(name) ?? ""),
  };
}

/** Ask. Rejects only when it was given up. */
export async function ask(question: Question, signal: AbortSignal): Promise<Answer> {
  const began = performance.now();
  let response: Response;
  try {
    response = await fetch(`/2/query?${written(question)}`, { credentials: "same-origin", signal });
  } catch (error) {
    if (signal.aborted) throw error;
    return { kind: "wrong", message: "The portal did not answer. Check the connection, then ask again.", options: [] };
  }
  const text = await response.text();
  const ms = performance.now() - began;
  if (response.ok) return { kind: "text", text: text.slice(0, LONGEST), cut: text.length > LONGEST, ms };
  const page = new DOMParser().parseFromString(text, "text/html");
  const options = [...page.querySelectorAll("#error_options li")].map((item) => item.textContent ?? "");
  const message = page.getElementById("error_message")?.textContent ?? text;
  return { kind: "wrong", message: message || `The portal answered ${response.status}.`, options };
}
