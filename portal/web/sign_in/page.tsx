/**
 * The sign-in form.
 */
import { CircleAlert, Eye, EyeOff } from "lucide";
import { useEffect, useRef, useState } from "preact/hooks";
import { asFailure, json } from "../api/client";
import { Button } from "../parts/button";
import { Field } from "../parts/field";
import { Icon, Mark } from "../parts/icon";

export function Page({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const first = useRef<HTMLInputElement>(null);
  const secret = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem("");
    try {
      await json("/session", { body: { name: name.trim(), password } });
      onDone();
    } catch (error) {
      const failure = asFailure(error);
      setProblem([failure.message, failure.hint].filter(Boolean).join(" "));
      setBusy(false);
      secret.current?.select();
    }
  };
  return (
    <main class="signin">
      <form class="signin-card" onSubmit={(event) => void submit(event)}>
        <div class="signin-head">
          <Mark size={32} />
          <h1>Sign in to Muster</h1>
        </div>
        <Field label="Name">
          {(wiring) => (
            <input
              {...wiring}
              ref={first}
              type="text"
              name="username"
              autocomplete="username"
              autocapitalize="off"
              spellcheck={false}
              required
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Password">
          {(wiring) => (
            <span class="signin-password">
              <input
                {...wiring}
                ref={secret}
                type={(shown ? "text" : "password") as "password"}
                name="password"
                autocomplete="current-password"
                required
                value={password}
                onInput={(event) => setPassword(event.currentTarget.value)}
              />
              <Button
                look="quiet"
                icon={shown ? EyeOff : Eye}
                label={shown ? "Hide the password" : "Show the password"}
                onClick={() => setShown(!shown)}
              />
            </span>
          )}
        </Field>
        <p class="signin-problem" role="alert">
          {problem && (
            <>
              <Icon node={CircleAlert} size={14} />
              {problem}
            </>
          )}
        </p>
        <Button look="primary" type="submit" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </Button>
      </form>
      <p class="signin-foot muted">Ask every device. Act on the answer.</p>
    </main>
  );
}
