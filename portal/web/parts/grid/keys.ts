/**
 * What a key does in a grid, as plain data: from where the keyboard is and what was pressed to where it goes and what happens.
 *
 * Invariant: pure; the grid carries the answer out. Keys not named here are left to the page.
 */
import { HEADER, type Place } from "./types";

export type Act = "none" | "extend" | "toggle" | "all" | "clear" | "open" | "sort" | "copy" | "narrow" | "widen";

export interface Answer {
  place: Place;
  act: Act;
}

export interface Pressed {
  key: string;
  shift: boolean;
  ctrl: boolean;
  alt: boolean;
}

/** The answer to a key press; null where the grid has none. */
export function answer(pressed: Pressed, at: Place, rows: number, columns: number, page: number): Answer | null {
  const stay = (act: Act): Answer => ({ place: at, act });
  if (pressed.ctrl && pressed.key.toLowerCase() === "a") return stay("all");
  if (pressed.ctrl && pressed.key.toLowerCase() === "c") return stay("copy");
  if (pressed.alt && at.position === HEADER && pressed.key === "ArrowLeft") return stay("narrow");
  if (pressed.alt && at.position === HEADER && pressed.key === "ArrowRight") return stay("widen");
  if (pressed.alt) return null;
  switch (pressed.key) {
    case "Escape":
      return stay("clear");
    case "Enter":
      return stay(at.position === HEADER ? "sort" : "open");
    case " ":
      return stay(at.position === HEADER ? "sort" : pressed.shift ? "extend" : "toggle");
    case "ArrowLeft":
      return { place: { ...at, column: Math.max(0, at.column - 1) }, act: "none" };
    case "ArrowRight":
      return { place: { ...at, column: Math.min(columns - 1, at.column + 1) }, act: "none" };
    default: {
      const position = moved(pressed, at.position, rows, page);
      return position === null ? null : { place: { ...at, position }, act: pressed.shift && position >= 0 ? "extend" : "none" };
    }
  }
}

function moved({ key, ctrl }: Pressed, position: number, rows: number, page: number): number | null {
  const last = rows - 1;
  const within = (to: number) => Math.max(Math.min(to, last), Math.min(0, last));
  switch (key) {
    case "ArrowDown":
      return ctrl ? last : within(position + 1);
    case "ArrowUp":
      return ctrl ? within(0) : Math.max(HEADER, position - 1);
    case "PageDown":
      return within(position + page);
    case "PageUp":
      return within(position - page);
    case "Home":
      return within(0);
    case "End":
      return last;
    default:
      return null;
  }
}
