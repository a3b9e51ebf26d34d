/**
 * Queries this person ran lately, kept in this browser alone, newest first.
 */
import { boot } from "../api/boot";

export interface Recent {
  text: string;
  at: string;
}

const KEY = `muster.recent.${boot.account.name}`;
const MOST = 50;

/** The list; empty where the browser keeps nothing. */
export function recent(): Recent[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? (found as Recent[]).filter((one) => typeof one.text === "string") : [];
  } catch {
    return [];
  }
}

/** Put a query at the head of the list. */
export function remember(text: string): void {
  const rest = recent().filter((one) => one.text !== text);
  try {
    localStorage.setItem(KEY, JSON.stringify([{ text, at: new Date().toISOString() }, ...rest].slice(0, MOST)));
  } catch {
    /* full or forbidden: the list is a comfort, not a promise */
  }
}
