/**
 * The form of a question in NXQL, and its answer below.
 *
 * Ctrl Enter asks from anywhere, Esc gives up. Invariant: nothing of an answer is shown but as text.
 */
import { CircleAlert, Play } from "lucide";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../parts/button";
import { Field } from "../parts/field";
import { Icon, Mark } from "../parts/icon";
import { ask, FORMATS, PLATFORMS, read, written, type Answer, type Question } from "./ask";

export function Page() {
  const [question, setQuestion] = useState<Question>(() => read(location.search));
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const under = useRef<AbortController | null>(null);
  const latest = useRef(question); // a rendering comes late, and what was typed just before Ctrl Enter is asked, too
  const change = (part: Partial<Question>) => setQuestion((latest.current = { ...latest.current, ...part }));
  const run = async () => {
    under.current?.abort();
    const control = (under.current = new AbortController());
    history.replaceState(null, "", `?${written(latest.current)}`);
    setBusy(true);
    try {
      setAnswer(await ask(latest.current, control.signal));
    } catch {
      return; // another question took its place, or it was given up
    } finally {
      if (under.current === control) setBusy(false);
    }
  };
  useEffect(() => {
    const heard = (event: KeyboardEvent) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        void run();
      } else if (event.key === "Escape") under.current?.abort();
    };
    addEventListener("keydown", heard);
    return () => removeEventListener("keydown", heard);
  });
  const toggle = (name: string, on: boolean) =>
    change({ platforms: PLATFORMS.filter((one) => (one === name ? on : question.platforms.includes(one))) });
  return (
    <main class="nxql">
      <header class="nxql-head">
        <Mark size={24} />
        <h1>NXQL</h1>
      </header>
      <form class="nxql-form" onSubmit={(event) => (event.preventDefault(), void run())}>
        <Field label="Query">
          {(wiring) => (
            <textarea
              {...wiring}
              rows={9}
              spellcheck={false}
              autofocus
              value={question.query}
              onInput={(event) => change({ query: event.currentTarget.value })}
            />
          )}
        </Field>
        <div class="nxql-options">
          <fieldset>
            <legend>Platforms</legend>
            {PLATFORMS.map((name) => (
              <label key={name}>
                <input
                  type="checkbox"
                  checked={question.platforms.includes(name)}
                  onChange={(event) => toggle(name, event.currentTarget.checked)}
                />
                {name}
              </label>
            ))}
          </fieldset>
          <Field label="Format">
            {(wiring) => (
              <select {...wiring} value={question.format} onChange={(event) => change({ format: event.currentTarget.value })}>
                {FORMATS.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            )}
          </Field>
          {question.parameters.map((value, at) => (
            <Field key={at} label={`%${at + 1}`}>
              {(wiring) => (
                <input
                  {...wiring}
                  type="text"
                  value={value}
                  onInput={(event) => change({ parameters: question.parameters.with(at, event.currentTarget.value) })}
                />
              )}
            </Field>
          ))}
          <label>
            <input type="checkbox" checked={question.people} onChange={(event) => change({ people: event.currentTarget.checked })} />
            Readable numbers
          </label>
          <Button look="primary" type="submit" icon={Play}>
            Run <kbd>Ctrl Enter</kbd>
          </Button>
        </div>
      </form>
      <section class="nxql-answer" aria-label="Answer" aria-live="polite" aria-busy={busy}>
        {answer?.kind === "wrong" && <Wrong {...answer} />}
        {answer?.kind === "text" && <Text answer={answer} format={question.format} />}
        {!answer && <p class="muted">The answer of this Engine's devices comes here.</p>}
      </section>
    </main>
  );
}

function Wrong({ message, options }: { message: string; options: string[] }) {
  return (
    <div class="nxql-wrong" role="alert">
      <p>
        <Icon node={CircleAlert} size={14} /> {message}
      </p>
      {options.length > 0 && (
        <>
          <p>Names that can stand there:</p>
          <ul>
            {options.map((name) => (
              <li key={name}>
                <code>{name}</code>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function Text({ answer, format }: { answer: Extract<Answer, { kind: "text" }>; format: string }) {
  const [head, ...rows] = answer.text.split("\n").filter(Boolean).map((line) => line.split("\t"));
  const shown = rows.slice(0, 1000);
  const table = format === "csv" && head !== undefined;
  const many = table ? `${rows.length.toLocaleString("en")} ${rows.length === 1 ? "row" : "rows"}` : `${answer.text.length.toLocaleString("en")} characters`;
  return (
    <>
      <p class="muted">
        {many} in {(answer.ms / 1000).toFixed(2)} s{answer.cut || shown.length < rows.length ? "; the first are shown" : ""}
      </p>
      <div class="nxql-scroll" tabIndex={0} role="region" aria-label="Rows">
        {table ? (
          <table>
            <thead>
              <tr>
                {head.map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, place) => (
                    <td key={place}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        ) : (
          <pre>{answer.text}</pre>
        )}
      </div>
    </>
  );
}
