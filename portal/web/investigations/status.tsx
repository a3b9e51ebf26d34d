/**
 * The line above the rows that says what was really asked: window, rows, freshness, warnings; and the tools of a result.
 *
 * Invariant: always there and of one height, whatever the outcome, so that nothing below it moves.
 */
import { CalendarRange, CircleAlert, Database, Timer, TriangleAlert, X } from "lucide";
import { useEffect, useState } from "preact/hooks";
import type { QueryResult } from "../api/wire";
import { Button } from "../parts/button";
import { Icon } from "../parts/icon";
import { duration, number, plural } from "../values/text";
import { clock, moment, zoneName } from "../values/times";
import { cancel, more } from "./ask";
import { costText, estimate, placeText } from "./cost";
import { ExportMenu } from "./export";
import { LiveStatus, LiveSwitch } from "./live_status";
import { following, outcome, sort, zone } from "./state";

export function StatusLine() {
  const now = outcome.value;
  return (
    <div class="status" role="region" aria-label="What was asked">
      <LiveStatus />
      <div class="status-text" aria-live={following.value ? "off" : "polite"}>
        {now.kind === "none" && <span class="muted">Nothing asked yet</span>}
        {now.kind === "asking" && <Waiting since={now.since} />}
        {now.kind === "rows" && <Asked result={now.result} />}
        {now.kind === "failed" && (
          <span class="status-bad">
            <Icon node={CircleAlert} size={14} />
            The query did not run
          </span>
        )}
      </div>
      <div class="status-tools">
        {(now.kind === "rows" || following.value) && <LiveSwitch />}
        {now.kind === "rows" && now.result.truncated && !following.value && (
          <Button look="quiet" disabled={now.more} onClick={() => void more()}>
            {now.more ? "Loading…" : "Load more"}
          </Button>
        )}
        {now.kind === "rows" && <ExportMenu />}
      </div>
    </div>
  );
}

function Waiting({ since }: { since: number }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const ticks = setInterval(() => setSeconds(Math.floor((performance.now() - since) / 1000)), 250);
    return () => clearInterval(ticks);
  }, [since]);
  const reads = estimate.value ? costText(estimate.value) : "";
  return (
    <>
      <span>
        <span class="spinner" />
        {seconds < 1 ? "Asking…" : `Asking for ${seconds} s…`}
      </span>
      {reads && <span class="muted nowrap">Reads {reads}</span>}
      <Button small icon={X} onClick={cancel}>
        Cancel
      </Button>
    </>
  );
}

function Asked({ result }: { result: QueryResult }) {
  const loaded = result.rows.length;
  const rows = result.truncated ? `first ${number(loaded)} rows${sort.value ? ", sorted among themselves" : ""}; more exist` : plural(loaded, "row");
  return (
    <>
      <strong class={result.truncated ? "status-warn" : ""}>{rows}</strong>
      <Window result={result} />
      {result.elapsed_ms !== null && (
        <span class="muted nowrap" title={["Time the portal took", placeText(result.cost)].filter(Boolean).join("; ")}>
          <Icon node={Timer} size={14} />
          {duration(result.elapsed_ms / 1000)}
        </span>
      )}
      {costText(result.cost) && (
        <span class="muted nowrap" title="Rows and bytes of columns that the answer was computed from, at most">
          <Icon node={Database} size={14} />
          {costText(result.cost)}
        </span>
      )}
      {result.warnings.map((warning) => (
        <span key={warning.code + warning.span.start} class="status-warn" title={`${warning.code}: ${warning.hint}`}>
          <Icon node={TriangleAlert} size={14} />
          {warning.message}
        </span>
      ))}
    </>
  );
}

function Window({ result }: { result: QueryResult }) {
  const { window, complete_until: until } = result;
  const fresh = until ? `complete until ${clock(until, zone.value, new Date(result.now))}` : "";
  const said = [window ? windowText(result) : "", fresh].filter(Boolean).join(", ");
  if (!said) return null;
  const hover = window ? `${window.start} – ${window.end} (UTC, end excluded)` : (until ?? "");
  return (
    <span class="status-window" title={hover}>
      <Icon node={CalendarRange} size={14} />
      <span>{said}</span>
    </span>
  );
}

/* `8 Nov 00:00 – 15 Nov 00:00, Zurich`: shown in the reader's zone, with the zone that cut the days where that is another. */
function windowText({ window, now, zone: readers }: QueryResult): string {
  if (!window) return "";
  const at = (text: string) => moment(text, readers, new Date(now)).slice(0, -3);
  const days = window.zone === readers ? "whole days" : `whole days of ${zoneName(window.zone)}`;
  const said = `${at(window.start)} – ${at(window.end)}, ${zoneName(readers)}`;
  return window.precision === "day" ? `${said}, ${days}` : said;
}
