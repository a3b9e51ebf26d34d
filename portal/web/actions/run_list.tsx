/**
 * The newest runs, each leading to its own page in the drawer.
 */
import { useEffect, useState } from "preact/hooks";
import { asFailure, type Failure } from "../api/client";
import type { Run } from "../api/wire";
import { Chip, HaltedChip } from "../parts/chip";
import { Drawer } from "../parts/drawer";
import { plural } from "../values/text";
import { moment } from "../values/times";
import { idOf, runs } from "./client";
import { StandingChips, tally } from "./run_drawer";

const MOST = 50;

interface Props {
  zone: string;
  onOpen: (id: string) => void;
  onClose: () => void;
}

export function RunList({ zone, onOpen, onClose }: Props) {
  const [all, setAll] = useState<Run[] | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  useEffect(() => {
    runs(MOST).then(setAll, (error: unknown) => setFailure(asFailure(error)));
  }, []);
  return (
    <Drawer title="Recent runs" onClose={onClose}>
      {failure && <p class="form-error">{failure.message}</p>}
      {all?.length === 0 && (
        <div class="empty-small">
          <p class="muted">No action has run yet. Ask for some devices, select rows, and run an action on them.</p>
        </div>
      )}
      <ul class="picker-list" aria-busy={all === null && !failure}>
        {all?.map((run) => (
          <li key={run.id}>
            <button type="button" class="picker-entry" onClick={() => onOpen(run.id)}>
              <span class="picker-name">
                {idOf(run)}
                <span class="muted nowrap">{plural(tally(run.counts).total, "device")}</span>
              </span>
              <span class="muted">
                {run.requested_at && moment(run.requested_at, zone)} {run.requested_by && `by ${run.requested_by}`}
              </span>
              <span class="progress-chips">
                {run.state === "halted" && <HaltedChip />}
                {!run.complete && waveOf(run) && <Chip>{waveOf(run)}</Chip>}
                <StandingChips run={run} />
              </span>
            </button>
          </li>
        ))}
      </ul>
    </Drawer>
  );
}

/* `wave 2 of 4`, since what waits may wait for a later wave; empty for a run of one wave. */
function waveOf({ wave, plan }: Run): string {
  const waves = plan?.waves?.length ?? 1;
  return waves > 1 ? `wave ${wave ?? 1} of ${waves}` : "";
}
