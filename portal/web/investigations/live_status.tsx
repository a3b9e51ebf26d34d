/**
 * How Live stands, and the switch for it: since when, as of when, or what is in its way.
 *
 * Invariant: a screen reader hears that it begins, waits or ends, and nothing of each refresh.
 */
import { CirclePause, CircleX, Radio, TriangleAlert } from "lucide";
import { useEffect } from "preact/hooks";
import { Button } from "../parts/button";
import { Icon } from "../parts/icon";
import { say } from "../parts/toast";
import { plural } from "../values/text";
import { clock, moment } from "../values/times";
import { setLive } from "./ask";
import { live, type Phase } from "./live";
import { asked, following, zone } from "./state";

const WORDS: Record<Phase, string> = {
  off: "",
  following: "Live",
  late: "Live, but waiting",
  lost: "Reconnecting",
  paused: "Paused",
  ended: "Live has ended",
};
const ICONS = { following: Radio, late: TriangleAlert, lost: TriangleAlert, paused: CirclePause, ended: CircleX };

export function LiveStatus() {
  const { phase, since, at, changes, why } = live.value;
  useEffect(() => {
    if (phase === "ended") say(`Live has ended. ${why}`, { bad: true, action: { label: "Start again", run: () => setLive(true) } });
  }, [phase, why]);
  const known = phase === "following" || phase === "late" || phase === "lost";
  const hover = [
    since && `Live since ${moment(since, zone.value)}`,
    at && `as of ${moment(at, zone.value)}`,
    since && `changed ${plural(changes, "time")}`,
    why,
  ];
  return (
    <div class={`live live-${phase}`} title={hover.filter(Boolean).join("\n")}>
      <span role="status" class="live-word">
        {phase !== "off" && (
          <>
            <Icon node={ICONS[phase]} size={14} />
            {WORDS[phase]}
          </>
        )}
      </span>
      {known && (
        <span class="live-times">
          <span class="live-since">{phase === "following" && `since ${clock(since, zone.value)}, `}as of </span>
          <b>{moment(at, zone.value).slice(-8)}</b>
        </span>
      )}
      {(phase === "late" || phase === "ended") && <span class="live-why">{why}</span>}
    </div>
  );
}

/** The switch; Shift Alt L does the same. */
export function LiveSwitch() {
  if (asked.value.trim() === "") return null;
  return (
    <Button
      look="quiet"
      icon={Radio}
      label="Live (Shift Alt L): keep the rows up to date"
      pressed={following.value}
      onClick={() => setLive(!following.peek())}
    >
      <span class="live-label">Live</span>
    </Button>
  );
}
