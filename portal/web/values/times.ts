/**
 * Instants in a person's zone, and the zones themselves.
 *
 * Comes in: ISO 8601 text in UTC. Goes out: `14 Nov 05:26:15` (with the year when it is not this one) in a zone; the UTC
 * text stays the exact form. Invariant: the zone is always passed in; nothing here reads the browser's own but `here`.
 */

interface Formats {
  time: Intl.DateTimeFormat;
  parts: Intl.DateTimeFormat;
}

const FORMATS = new Map<string, Formats>();

function formatsOf(zone: string): Formats {
  let found = FORMATS.get(zone);
  if (!found) {
    const base = { timeZone: zone, hour12: false, hour: "2-digit", minute: "2-digit" } as const;
    found = {
      time: new Intl.DateTimeFormat("en-GB", base),
      parts: new Intl.DateTimeFormat("en-GB", { ...base, second: "2-digit", day: "numeric", month: "short", year: "numeric" }),
    };
    FORMATS.set(zone, found);
  }
  return found;
}

type Pieces = Record<"day" | "month" | "year" | "hour" | "minute" | "second", string>;

function pieces(instant: Date, zone: string): Pieces {
  const found = { day: "", month: "", year: "", hour: "", minute: "", second: "" };
  for (const { type, value } of formatsOf(zone).parts.formatToParts(instant)) {
    if (type in found) found[type as keyof Pieces] = value;
  }
  return found;
}

/** An instant for a cell: day, month, time to the second; the year only when it differs from that of `now`. */
export function moment(text: string, zone: string, now = new Date()): string {
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) return text;
  const at = pieces(instant, zone);
  const year = at.year === pieces(now, zone).year ? "" : ` ${at.year}`;
  return `${at.day} ${at.month.slice(0, 3)}${year} ${at.hour}:${at.minute}:${at.second}`;
}

/** Hours and minutes of an instant; with the day when it is not that of `now`. */
export function clock(text: string, zone: string, now = new Date()): string {
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) return text;
  const time = formatsOf(zone).time.format(instant);
  const at = pieces(instant, zone);
  const today = pieces(now, zone);
  const same = at.day === today.day && at.month === today.month && at.year === today.year;
  return same ? time : `${at.day} ${at.month.slice(0, 3)} ${time}`;
}

/** The last part of a zone's name, as people call it: `Europe/Zurich` is `Zurich`. */
export function zoneName(zone: string): string {
  return (zone.split("/").pop() ?? zone).replaceAll("_", " ");
}

/** How far a zone is from UTC now: `UTC+1`. */
export function zoneOffset(zone: string, now = new Date()): string {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "shortOffset" });
  const part = format.formatToParts(now).find((piece) => piece.type === "timeZoneName");
  return (part?.value ?? "").replace("GMT", "UTC");
}

/** Whether the browser knows a zone by this name. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return zone !== "";
  } catch {
    return false;
  }
}

/** The zone of this browser. */
export function here(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
