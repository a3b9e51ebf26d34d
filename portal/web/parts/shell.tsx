/**
 * The frame of every page: the rail of rooms, the top bar with site, zone and person, and the work area.
 *
 * Comes in: the room's name and its content. Invariant: only rooms that exist are shown; landmarks are header, nav and main.
 */
import type { ComponentChildren } from "preact";
import type { IconNode } from "lucide";
import { Building2, ChevronDown, CircleUserRound, Command as CommandIcon, Globe, Keyboard, LogOut, Monitor, Moon, Sun, Telescope } from "lucide";
import { boot } from "../api/boot";
import { asFailure, send, toSignIn } from "../api/client";
import { zoneName, zoneOffset } from "../values/times";
import { Icon, Mark } from "./icon";
import { type Entry, Menu } from "./menu";
import { choose, type Theme, theme } from "./theme";
import { say } from "./toast";

interface Room {
  name: string;
  href: string;
  icon: IconNode;
}

const ROOMS: readonly Room[] = [{ name: "Investigations", href: "/", icon: Telescope }];

interface Props {
  room: string;
  zone: string;
  zones: () => Entry[];
  onPalette: () => void;
  onKeys: () => void;
  children: ComponentChildren;
}

export function Shell(props: Props) {
  return (
    <div class="shell">
      <nav class="rail" aria-label="Rooms">
        <a class="rail-mark" href="/" aria-label="Muster">
          <Mark />
        </a>
        {ROOMS.map(({ name, href, icon }) => (
          <a key={href} class="rail-room" href={href} aria-current={name === props.room ? "page" : undefined} title={name}>
            <Icon node={icon} size={20} />
            <span class="unseen">{name}</span>
          </a>
        ))}
        <span class="grow" />
        <button type="button" class="rail-room" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={props.onKeys}>
          <Icon node={Keyboard} size={20} />
        </button>
      </nav>
      <header class="bar">
        <h1>{props.room}</h1>
        <button type="button" class="bar-search" onClick={props.onPalette} title="Command palette">
          <Icon node={CommandIcon} size={14} />
          <span>Go to, run, switch…</span>
          <kbd>Ctrl K</kbd>
        </button>
        <span class="grow" />
        {boot.site && (
          <span class="bar-site" title="Site">
            <Icon node={Building2} size={14} />
            {boot.site}
          </span>
        )}
        <Menu label="Time zone" look="quiet" align="end" entries={props.zones} face={<ZoneFace zone={props.zone} />} />
        <Menu label="Theme" look="quiet" align="end" entries={themes} face={<Icon node={themeIcon(theme.value)} />} />
        <Menu label="Account" look="quiet" align="end" entries={person} face={<PersonFace />} />
      </header>
      {props.children}
    </div>
  );
}

function ZoneFace({ zone }: { zone: string }) {
  return (
    <>
      <Icon node={Globe} size={14} />
      {zoneName(zone)}
      <span class="muted">{zoneOffset(zone)}</span>
      <Icon node={ChevronDown} size={14} />
    </>
  );
}

function PersonFace() {
  return (
    <>
      <Icon node={CircleUserRound} />
      {boot.account.name}
      <Icon node={ChevronDown} size={14} />
    </>
  );
}

function themeIcon(now: Theme): IconNode {
  return now === "dark" ? Moon : now === "light" ? Sun : Monitor;
}

function themes(): Entry[] {
  const entry = (label: string, value: Theme): Entry => ({
    label,
    icon: themeIcon(value),
    checked: theme.value === value,
    pick: () => choose(value),
  });
  return [entry("As the system", "system"), entry("Light", "light"), entry("Dark", "dark")];
}

function person(): Entry[] {
  return [
    { label: `Signed in as ${boot.account.name}`, heading: true },
    { label: "Sign out", icon: LogOut, pick: () => void signOut() },
  ];
}

/** End the session and leave for the sign-in page. */
export async function signOut(): Promise<void> {
  try {
    await send("/session", { method: "DELETE" });
    location.assign("/sign-in");
  } catch (error) {
    const failure = asFailure(error);
    if (failure.status === 401) toSignIn();
    else say(failure.message, { bad: true });
  }
}
