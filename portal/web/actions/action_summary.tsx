/**
 * What an action is and does: description, purpose, version, limits, and its script to read before it runs.
 */
import { FileTerminal, GitCommitHorizontal, ShieldCheck, Signature, Timer } from "lucide";
import type { Action } from "../api/wire";
import { Icon } from "../parts/icon";
import { duration } from "../values/text";
import { shortVersion } from "./client";

const PURPOSES: Record<string, string> = { data_collection: "collects data", remediation: "changes the device" };

export function ActionSummary({ action }: { action: Action }) {
  const version = shortVersion(action.version);
  const purposes = (action.purpose ?? []).map((one) => PURPOSES[one] ?? one).join(", ");
  return (
    <section class="summary" aria-label="The action">
      {action.description && <p>{action.description}</p>}
      <ul class="facts">
        {version && (
          <li title={`Version ${version}: the script, its inputs and outputs as they are now`}>
            <Icon node={GitCommitHorizontal} size={14} /> Version <code>{version}</code>
          </li>
        )}
        {!!action.signed_by?.length && (
          <li>
            <Icon node={Signature} size={14} /> signed by {action.signed_by.join(", ")}
          </li>
        )}
        {purposes && (
          <li>
            <Icon node={ShieldCheck} size={14} /> {purposes}
          </li>
        )}
        {action.timeout !== undefined && (
          <li>
            <Icon node={Timer} size={14} /> stopped after {duration(action.timeout)}
            {action.run_as && `, as ${action.run_as}`}
          </li>
        )}
      </ul>
      {Object.entries(action.scripts ?? {}).map(([platform, script]) => (
        <details key={platform} class="script">
          <summary>
            <Icon node={FileTerminal} size={14} /> Script for {platform} <span class="muted">({script.language})</span>
          </summary>
          <pre tabIndex={0} aria-label={`Script for ${platform}`}>
            {script.text}
          </pre>
        </details>
      ))}
    </section>
  );
}
