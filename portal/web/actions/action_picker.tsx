/**
 * Finds an action: a search field over all that may be started by hand.
 */
import { ChevronRight, Search } from "lucide";
import { useEffect, useState } from "preact/hooks";
import { asFailure, type Failure } from "../api/client";
import type { Action } from "../api/wire";
import { DraftBadge } from "../parts/chip";
import { Icon } from "../parts/icon";
import { actions } from "./client";

export function ActionPicker({ onPick }: { onPick: (action: Action) => void }) {
  const [all, setAll] = useState<Action[] | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [typed, setTyped] = useState("");
  useEffect(() => {
    actions().then(setAll, (error: unknown) => setFailure(asFailure(error)));
  }, []);
  if (failure) return <p class="form-error">{failure.message}</p>;
  const wanted = typed.trim().toLowerCase();
  const found = (all ?? []).filter(({ name, nql_id, description }) =>
    `${name} ${nql_id} ${description ?? ""}`.toLowerCase().includes(wanted),
  );
  return (
    <div class="picker">
      <label class="search">
        <Icon node={Search} />
        <input
          type="search"
          aria-label="Search actions"
          placeholder="Search actions"
          value={typed}
          ref={(element) => {
            if (element && document.activeElement?.classList.contains("drawer")) element.focus();
          }}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      {all && all.length === 0 && (
        <p class="muted">No actions yet. Add one with <code>muster apply DIR</code>.</p>
      )}
      {all && all.length > 0 && found.length === 0 && <p class="muted">No action matches “{typed}”.</p>}
      <ul class="picker-list" aria-busy={all === null}>
        {found.map((action) => (
          <li key={action.nql_id}>
            <button type="button" class="picker-entry" onClick={() => onPick(action)}>
              <span class="picker-name">
                {action.name}
                <code class="muted">{action.nql_id}</code>
                {action.draft && <DraftBadge />}
              </span>
              {action.description && <span class="muted">{action.description}</span>}
              <Icon node={ChevronRight} class="picker-go" />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
