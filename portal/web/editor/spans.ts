/**
 * Between positions in characters, as the portal counts them, and positions in the browser's UTF-16 strings.
 *
 * The two differ only after characters outside the basic plane (emoji and the like). Invariant: a position past the end
 * becomes the end, so that a late answer never breaks the editor.
 */

const ASTRAL = /[\u{10000}-\u{10ffff}]/u;

/** The position in the browser's string of a character number. */
export function toUnits(text: string, characters: number): number {
  if (!ASTRAL.test(text)) return Math.min(characters, text.length);
  let units = 0;
  let left = characters;
  for (const character of text) {
    if (left-- <= 0) break;
    units += character.length;
  }
  return units;
}

/** The character number of a position in the browser's string. */
export function toCharacters(text: string, units: number): number {
  return ASTRAL.test(text) ? [...text.slice(0, units)].length : units;
}
