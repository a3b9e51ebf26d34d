/**
 * A query that did not run: what happened, where in the person's own text, what to do, one click where it can be done.
 */
import { CircleX, RotateCw, TriangleAlert, Wand } from "lucide";
import type { Failure } from "../api/client";
import type { Diagnostic, Fix } from "../api/wire";
import { toUnits } from "../editor/spans";
import { Button } from "../parts/button";
import { Icon } from "../parts/icon";
import { again, runText } from "./ask";
import { asked } from "./state";

export function FailureView({ failure }: { failure: Failure }) {
  const found = failure.diagnostics;
  return (
    <section class="failure" aria-label="What went wrong">
      <div class="failure-head">
        <Icon node={CircleX} size={20} />
        <div>
          <h2>{found.length > 0 ? headline(found) : failure.message}</h2>
          {failure.hint && found.length === 0 && <p class="muted">{failure.hint}</p>}
        </div>
        {found.length === 0 && (
          <Button icon={RotateCw} onClick={() => void again()}>
            Try again
          </Button>
        )}
      </div>
      {found.map((diagnostic, index) => (
        <Finding key={index} text={asked.value} diagnostic={diagnostic} />
      ))}
    </section>
  );
}

function headline(found: Diagnostic[]): string {
  const errors = found.filter((one) => one.severity === "error").length;
  return errors === 1 ? "One thing keeps this query from running" : `${errors} things keep this query from running`;
}

function Finding({ text, diagnostic }: { text: string; diagnostic: Diagnostic }) {
  const start = toUnits(text, diagnostic.span.start);
  const end = Math.max(start + 1, toUnits(text, diagnostic.span.end));
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const after = text.indexOf("\n", start);
  const line = text.slice(from, after < 0 ? text.length : after);
  const number = text.slice(0, from).split("\n").length;
  const stop = Math.min(end - from, Math.max(line.length, start - from + 1));
  const warning = diagnostic.severity === "warning";
  return (
    <article class={warning ? "problem problem-warning" : "problem"}>
      <p class="problem-message">
        <Icon node={warning ? TriangleAlert : CircleX} size={14} />
        <span>{diagnostic.message}</span>
        <code class="finding-code">{diagnostic.code}</code>
      </p>
      <pre class="problem-source" tabIndex={0}>
        <span class="problem-line">{number}</span>
        {line.slice(0, start - from)}
        <mark>{line.slice(start - from, stop)}</mark>
        {line.slice(stop)}
        {"\n"}
        <span class="problem-line"> </span>
        {" ".repeat(start - from)}
        <span class="problem-carets">{"^".repeat(Math.max(1, stop - (start - from)))}</span>
      </pre>
      {diagnostic.hint && <p class="problem-hint">{diagnostic.hint}</p>}
      {diagnostic.fixes.length > 0 && (
        <div class="problem-fixes">
          {diagnostic.fixes.map((fix) => (
            <Button key={fix.title} small icon={Wand} onClick={() => void runText(fixed(text, fix))}>
              {fix.title} and run
            </Button>
          ))}
        </div>
      )}
    </article>
  );
}

function fixed(text: string, fix: Fix): string {
  return text.slice(0, toUnits(text, fix.span.start)) + fix.replacement + text.slice(toUnits(text, fix.span.end));
}
