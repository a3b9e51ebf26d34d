/**
 * Lays a query out with one clause a line, without touching anything inside it.
 *
 * Invariant: only white space outside strings and comments changes, so the meaning never does.
 */

const PIECES = /\/\*[\s\S]*?(?:\*\/|$)|"[^"\n]*"?|'[^'\n]*'?|\s+|\||[^\s|"'/]+|\//g;

/** The text with each `|` at the start of its own line. */
export function laidOut(text: string): string {
  let out = "";
  for (const piece of text.match(PIECES) ?? []) {
    if (/^\s+$/.test(piece)) out += out === "" || /\s$/.test(out) ? "" : " ";
    else if (piece === "|") out = `${out.trimEnd()}${out.trim() ? "\n" : ""}| `;
    else out += piece;
  }
  return out.trim();
}
