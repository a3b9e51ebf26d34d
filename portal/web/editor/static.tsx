/**
 * NQL text in its colours, outside an editor: examples, history, the query of a run.
 */
import { highlightCode } from "@lezer/highlight";
import type { ComponentChildren } from "preact";
import { nqlClasses, nqlLanguage } from "./language";

export function Nql({ text }: { text: string }) {
  const pieces: ComponentChildren[] = [];
  highlightCode(
    text,
    nqlLanguage.parser.parse(text),
    nqlClasses,
    (code, classes) => pieces.push(classes ? <span class={classes}>{code}</span> : code),
    () => pieces.push("\n"),
  );
  return <code class="nql">{pieces}</code>;
}
